#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "grpc_frames.h"
#include "grpc_request.h"
#include "lepton/core/block_cache.h"

namespace lepton::client {

// What becomes of the stream that was opened last.
class GrpcSessionListener {
public:
    virtual void on_field(std::string_view name, std::string_view value) = 0;
    virtual void on_data(std::span<const std::byte> data) = 0;
    virtual void on_end() = 0;  // The server has sent all of its answer.
    // By either side, or with the connection; also after on_end(). `code` is HTTP/2's.
    virtual void on_closed(std::uint32_t code) = 0;

protected:
    ~GrpcSessionListener() = default;
};

// The client's side of an HTTP/2 connection, with one stream at a time: nghttp2's session, its
// memory and its callbacks. Windows for what it receives are as large as they can be, because
// whatever comes is copied to the answer at once. Not thread-safe; its exchange owns it.
class GrpcSession {
public:
    GrpcSession(GrpcSessionListener& listener, GrpcRequest& request);
    ~GrpcSession();
    GrpcSession(const GrpcSession&) = delete;
    GrpcSession& operator=(const GrpcSession&) = delete;

    // Opens a stream whose body is what `request` holds. False: there are no more. `fields` are
    // kept by the caller until the stream is closed.
    [[nodiscard]] bool open(std::span<const nghttp2_nv> fields);
    // The server is told that nobody waits for the answer. Nothing more is heard of the stream.
    void reset();

    // Moves to frames() what may be sent; to be called after all of the others but open(). Not from
    // within the listener.
    void pump();
    // frames() was full: when it has been sent, there may be more to pump.
    [[nodiscard]] bool has_more() const { return has_more_; }
    [[nodiscard]] GrpcFrames& frames() { return frames_; }

    // False: the bytes are not HTTP/2, and the connection is of no use any more.
    [[nodiscard]] bool received(std::span<const std::byte> bytes);

    // Whether the server still takes new streams, as far as is known.
    [[nodiscard]] bool takes_streams() const;
    // Whether it may be that more is received.
    [[nodiscard]] bool listens() const;

private:
    struct Callbacks;

    [[nodiscard]] bool is_full();

    GrpcSessionListener& listener_;
    GrpcRequest& request_;
    GrpcFrames frames_;
    std::int32_t stream_ = 0;  // 0: none is open.
    bool has_more_ = false;
    BlockCache blocks_;  // Before session_, whose memory it is.
    nghttp2_session* session_ = nullptr;
};

}  // namespace lepton::client
