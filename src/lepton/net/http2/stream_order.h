#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lepton::net {

// Tells frames on streams that cannot be used any more from frames that crossed our reset, which
// are harmless. It knows the latest streams only; nghttp2 could know more, but keeps up to
// MAX_CONCURRENT_STREAMS closed streams, half a megabyte per connection, to do so. Confined to its
// loop.
class StreamOrder {
public:
    // A HEADERS or DATA frame begins. Returns an HTTP/2 error code for the connection, or 0.
    // RFC 9113 section 5.1.1: streams are opened in ascending order, and those left out are closed.
    // Section 5.1: nothing follows a client's own END_STREAM or RST_STREAM.
    [[nodiscard]] std::uint32_t check(std::int32_t stream_id);

    // The stream is closed, and the client had ended or reset its side of it.
    void on_closed(std::int32_t stream_id) { closed_[next_++ % kClosed] = stream_id; }

private:
    static constexpr std::size_t kClosed = 8;

    std::int32_t last_ = -1;  // The highest seen; a client's are odd.
    std::int32_t gap_begin_ = 0;
    std::int32_t gap_end_ = 0;  // The latest gap is [begin, end).
    std::array<std::int32_t, kClosed> closed_{};
    std::size_t next_ = 0;
};

}  // namespace lepton::net
