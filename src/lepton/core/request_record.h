#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "lepton/core/infer_call.h"

namespace lepton {

// A text of a client, as far as it fits.
class ShortText {
public:
    static constexpr std::size_t kRoom = 63;

    ShortText() = default;
    // A character of UTF-8 is kept whole or not at all.
    explicit ShortText(std::string_view text) {
        std::size_t size = std::min(text.size(), kRoom);
        while (size < text.size() && size > 0 && (text[size] & 0xc0) == 0x80) --size;
        std::copy_n(text.begin(), size, text_.begin());
        size_ = static_cast<std::uint8_t>(size);
    }
    [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

private:
    std::array<char, kRoom> text_{};
    std::uint8_t size_ = 0;
};

// What is kept of an inference when it is over, in memory of fixed size. `trace.state` is empty.
struct RequestRecord {
    ShortText model_name;                    // The name that was asked for.
    std::shared_ptr<const ModelSpec> model;  // Null: none took it.
    ShortText id;
    Timeline timeline;
    TraceContext trace;
    Clock::time_point deadline = kNoDeadline;
    std::uint32_t priority = 0;
    std::int64_t rows = 0;
    std::int64_t batch_rows = 0;
    std::size_t queued_behind = 0;
    CallProtocol protocol = CallProtocol::kInProcess;
    std::string_view route;  // See InferCall.
    int status = 0;
    std::optional<ErrorCode> error;

    [[nodiscard]] Clock::duration total() const { return timeline.written - timeline.received; }
};

[[nodiscard]] RequestRecord record_of(const InferCall& call);

// The requests worth a look, slowest or latest first.
struct NotableRequests {
    std::vector<RequestRecord> slowest;
    std::vector<RequestRecord> missed;  // Admitted, but not answered by their deadlines.
};

}  // namespace lepton
