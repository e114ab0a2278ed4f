#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "lepton/core/block_cache.h"
#include "lepton/net/http2/http2_exchange.h"

namespace lepton::net {

// What nghttp2 tells about the frames of one connection, in C++. Streams carry their exchange as
// nghttp2's user data. Called within nghttp2_session_mem_recv and _mem_send, which must not be
// entered again from here; submitting is allowed.
class FrameListener {
public:
    virtual void on_begin_request(std::int32_t stream_id) = 0;
    // Of a head or of trailers; names are in lower case. `exchange` is null for a stream without
    // one. False: the stream is reset, and what follows of its fields is not told.
    virtual bool on_field(Http2Exchange* exchange,
                          std::string_view name,
                          std::string_view value) = 0;
    virtual void on_frame(const nghttp2_frame& frame) = 0;
    virtual void on_data(std::int32_t stream_id, std::span<const std::byte> data) = 0;
    virtual void on_stream_closed(std::int32_t stream_id) = 0;
    // END_STREAM was put into the output.
    virtual void on_stream_sent(std::int32_t stream_id) = 0;
    // A head or trailers that nghttp2 could not encode.
    virtual void on_head_not_sent(std::int32_t stream_id) = 0;
    // The same contract as nghttp2_data_source_read_callback.
    virtual ssize_t on_read_body(Http2Exchange& exchange,
                                 std::size_t room,
                                 std::uint32_t& flags) = 0;
    // Puts a DATA frame of `count` bytes into the output; false: not now.
    virtual bool on_send_body(Http2Exchange& exchange,
                              std::span<const std::byte> frame_head,
                              std::size_t count) = 0;

protected:
    ~FrameListener() = default;
};

struct Nghttp2Deleter {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};
using Nghttp2Ptr = std::unique_ptr<nghttp2_session, Nghttp2Deleter>;

// The server's side of a connection. Windows are opened by hand. `listener` and `memory` must
// outlive it.
[[nodiscard]] Nghttp2Ptr make_nghttp2_server(FrameListener& listener, BlockCache& memory);

// For nghttp2_data_provider, with an exchange as source: leads to on_read_body().
ssize_t read_body_callback(nghttp2_session* session,
                           std::int32_t stream_id,
                           std::uint8_t* buffer,
                           std::size_t room,
                           std::uint32_t* flags,
                           nghttp2_data_source* source,
                           void* listener) noexcept;

}  // namespace lepton::net
