#pragma once

#include <array>
#include <cstddef>
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
    // `label` is what stands before the number: ", queue;dur=".
    template <std::size_t kSize>
    void add(const char (&label)[kSize], Clock::duration duration);

    std::array<char, 256> text_;
    std::size_t size_ = 0;
};

}  // namespace lepton::protocol
