#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "lepton/net/http2/http2_exchange.h"

namespace lepton::net {

// Turns replies into nghttp2's frames: HEADERS, DATA, and for gRPC the trailers. One per
// connection. Confined to its loop.
class ReplyWriter {
public:
    // Queues exchange.reply, and takes its body. False: nghttp2 does not take it, and the stream
    // must be reset. Precondition: exchange.has_stream().
    bool submit(nghttp2_session* session, Http2Exchange& exchange);

    // Announces how much of exchange.outbound the next DATA frame carries, at most `room` bytes; at
    // the end of a gRPC call it queues the trailers.
    ssize_t read(nghttp2_session* session,
                 Http2Exchange& exchange,
                 std::size_t room,
                 std::uint32_t& flags);

private:
    bool submit_http(nghttp2_session* session, Http2Exchange& exchange);
    bool submit_grpc(nghttp2_session* session, Http2Exchange& exchange);
    bool submit_fields(nghttp2_session* session, Http2Exchange& exchange, bool body_follows);
    void frame_message(Http2Exchange& exchange);

    // Both are literals; HPACK's table remembers them.
    void add(std::string_view name, std::string_view value);
    // `name` is a literal; `value` is copied by nghttp2 and kept out of the table.
    void add_varying(std::string_view name, std::string_view value);
    void add_fields(const FieldList& fields);
    void add_grpc_status(const Reply& reply);

    std::vector<nghttp2_nv> fields_;
    std::string grpc_message_;
    std::string grpc_status_;
};

}  // namespace lepton::net
