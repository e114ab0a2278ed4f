#pragma once

#include <array>
#include <string_view>

#include "lepton/core/timeline.h"

namespace lepton::protocol {

// A breakdown as the value of a Server-Timing header: "net;dur=0.021, queue;dur=0.000, ...", in
// milliseconds with three digits, as https://www.w3.org/TR/server-timing/ has it.
class ServerTiming {
public:
    explicit ServerTiming(const Breakdown& breakdown);
    [[nodiscard]] std::string_view text() const { return {text_.data(), size_}; }

private:
    void add(std::string_view name, Clock::duration duration);

    std::array<char, 256> text_;
    std::size_t size_ = 0;
};

}  // namespace lepton::protocol
