#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "grpc_frames.h"
#include "grpc_hpack.h"
#include "grpc_request.h"

namespace lepton::client {

// Is told what becomes of the stream that was opened last.
class GrpcSessionListener {
public:
    virtual void on_field(std::string_view name, std::string_view value) = 0;
    virtual void on_data(std::span<const std::byte> data) = 0;
    virtual void on_end() = 0;  // The server has sent all of its answer.
    // The server reset it, perhaps without an answer; `code` is HTTP/2's.
    virtual void on_reset(std::uint32_t code) = 0;

protected:
    ~GrpcSessionListener() = default;
};

// The client's side of an HTTP/2 connection with one stream at a time (RFC 9113). It writes and
// reads frames by itself, because nghttp2's session, which keeps many streams, costs as much again
// as everything else in a small call; nghttp2 compresses the headers. The receive windows are as
// large as possible, since whatever comes is copied to the answer at once. Not thread-safe; its
// exchange owns it.
class GrpcSession {
public:
    GrpcSession(GrpcSessionListener& listener, GrpcRequest& request);
    GrpcSession(const GrpcSession&) = delete;
    GrpcSession& operator=(const GrpcSession&) = delete;

    // Whether the server takes another stream, as far as is known.
    [[nodiscard]] bool takes_streams() const;
    // Opens a stream whose body is what `request` holds; `fields` are without the timeout, and the
    // same for the same path. Precondition: takes_streams().
    void open(std::span<const nghttp2_nv> fields, std::string_view timeout);
    // Tells the server that nobody waits for the answer; nothing more is heard of the stream.
    void reset();

    // The frames to send. Once all are sent, pump() may have more of the body.
    [[nodiscard]] GrpcFrames& frames() { return frames_; }
    void pump();

    // Returns false if the bytes are not HTTP/2, and the connection cannot be used any more.
    [[nodiscard]] bool received(std::span<const std::byte> bytes);

private:
    struct Head {
        std::size_t length = 0;
        std::uint8_t type = 0;
        std::uint8_t flags = 0;
        std::uint32_t stream = 0;
        [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
    };
    static constexpr std::size_t kHeadBytes = 9;

    void append_head(const Head& head);
    void append_window_update(std::uint32_t stream, std::uint32_t increment);

    // These return false where the peer breaks the protocol.
    [[nodiscard]] bool begin_frame();
    [[nodiscard]] bool take_data(std::span<const std::byte> part);
    [[nodiscard]] bool on_frame(std::span<const std::byte> payload);
    [[nodiscard]] bool on_headers(std::span<const std::byte> payload);
    [[nodiscard]] bool on_continuation(std::span<const std::byte> payload);
    [[nodiscard]] bool read_headers(std::span<const std::byte> block, bool ends_stream);
    [[nodiscard]] bool on_settings(std::span<const std::byte> payload);
    [[nodiscard]] bool on_setting(std::uint32_t id, std::uint32_t value);
    [[nodiscard]] bool on_reset(std::span<const std::byte> payload);
    [[nodiscard]] bool on_ping(std::span<const std::byte> payload);
    [[nodiscard]] bool on_goaway(std::span<const std::byte> payload);
    [[nodiscard]] bool on_window_update(std::span<const std::byte> payload);
    void end_stream();

    GrpcSessionListener& listener_;
    GrpcRequest& request_;
    GrpcHpack hpack_;
    GrpcFrames frames_;

    std::uint32_t stream_ = 0;  // 0: none is open.
    std::uint32_t next_stream_ = 1;
    bool going_away_ = false;

    // What the server allows us to send:
    std::int64_t connection_window_ = 65535;
    std::int64_t initial_window_ = 65535;
    std::int64_t stream_window_ = 0;
    std::size_t max_frame_bytes_ = 16384;
    std::uint32_t max_streams_ = UINT32_MAX;

    // What the server used up of our windows:
    std::uint32_t heard_on_connection_ = 0;
    std::uint32_t heard_on_stream_ = 0;

    // The frame that is being received:
    std::array<std::byte, kHeadBytes> head_bytes_{};
    std::size_t head_read_ = 0;
    Head head_;
    std::size_t left_ = 0;     // Bytes left of its payload.
    std::size_t padding_ = 0;  // Bytes at the end of DATA.
    bool padding_known_ = false;
    std::vector<std::byte> payload_;  // Another frame's payload, if it comes in pieces.
    std::vector<std::byte> block_;    // Headers that a CONTINUATION continues,
    std::uint32_t block_stream_ = 0;  // for this stream; 0: none.
    bool block_ends_stream_ = false;
    bool heard_settings_ = false;  // Settings come first.
};

}  // namespace lepton::client
