#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lepton/core/result.h"

namespace lepton::client {

// Takes a chunked body (RFC 9112 §7.1) apart, in place: what was received stands in a buffer, and
// the data of its chunks is moved together at its front.
//
//   | data so far | raw bytes that were received |
//   0         data_size()               what decode() was given
//
// Not thread-safe; its exchange owns it.
class ChunkedBody {
public:
    // `bytes` start with data_size() bytes of data, the rest was received since. Afterwards all of
    // the rest is consumed. Errors: kInternal, for what is not chunked.
    Result<> decode(std::span<std::byte> bytes);

    [[nodiscard]] std::size_t data_size() const { return data_size_; }
    [[nodiscard]] bool done() const { return state_ == State::kDone; }
    // Bytes that came behind the end.
    [[nodiscard]] bool overrun() const { return overrun_; }

private:
    enum class State : std::uint8_t {
        kSize,
        kExtension,
        kSizeEnd,
        kData,
        kDataEnd,
        kDataLineFeed,
        kTrailerStart,
        kTrailer,
        kLastLineFeed,
        kDone,
    };
    Result<> take(char c);

    State state_ = State::kSize;
    bool has_digit_ = false;
    bool overrun_ = false;
    std::uint64_t left_ = 0;  // Of the chunk.
    std::size_t data_size_ = 0;
    std::size_t line_bytes_ = 0;  // Of extensions and trailers, which are bounded together.
};

}  // namespace lepton::client
