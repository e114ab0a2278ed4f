#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lepton/core/result.h"

namespace lepton::client {

// Decodes a chunked body (RFC 9112 §7.1) in place: received bytes stand in a buffer, and the data
// of the chunks is moved together at its front.
//
//   | data so far | raw bytes that were received |
//   0         data_size()               what decode() was given
//
// Not thread-safe; its exchange owns it.
class ChunkedBody {
public:
    // The first data_size() of `bytes` are decoded data, the rest was received since and is all
    // consumed. Errors: kInternal, for a body that is not chunked.
    Result<> decode(std::span<std::byte> bytes);

    [[nodiscard]] std::size_t data_size() const { return data_size_; }
    [[nodiscard]] bool done() const { return state_ == State::kDone; }
    // Whether bytes came after the end.
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
    std::uint64_t left_ = 0;  // Bytes left of the chunk.
    std::size_t data_size_ = 0;
    std::size_t line_bytes_ = 0;  // Bytes of extensions and trailers, which share one bound.
};

}  // namespace lepton::client
