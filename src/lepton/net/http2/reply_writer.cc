#include "lepton/net/http2/reply_writer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lepton/net/grpc/grpc_fields.h"
#include "lepton/net/http2/nghttp2_server.h"

namespace lepton::net {
namespace {

// The maximum of grpc-message: some clients refuse header lists above 8 KiB.
constexpr std::size_t kMaxGrpcMessageBytes = std::size_t{4} << 10;
constexpr int kGrpcInternal = 13;

// Fields of an HTTP/1.1 connection, which RFC 9113 section 8.2.2 forbids, and what we write
// ourselves.
bool is_left_out(std::string_view name) {
    return name == "connection" || name == "keep-alive" || name == "transfer-encoding" ||
           name == "upgrade" || name == "proxy-connection" || name == "content-length";
}

nghttp2_nv nv_of(std::string_view name, std::string_view value, int flags) {
    // nghttp2 takes pointers to mutable bytes and does not write through them.
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
            name.size(),
            value.size(),
            static_cast<std::uint8_t>(flags)};
}

}  // namespace

bool ReplyWriter::submit(nghttp2_session* session, Http2Exchange& exchange) {
    fields_.clear();
    return exchange.message.grpc ? submit_grpc(session, exchange) : submit_http(session, exchange);
}

bool ReplyWriter::submit_http(nghttp2_session* session, Http2Exchange& exchange) {
    Reply& reply = exchange.reply;
    if (exchange.headers_sent) {
        if (exchange.message.method != Method::kHead) exchange.outbound.push(reply.body);
        if (reply.last) exchange.outbound.end();
        nghttp2_session_resume_data(session, exchange.stream_id);
        return true;
    }
    const std::string status = std::to_string(reply.status);
    const std::string length = std::to_string(reply.body.size());
    fields_.push_back(nv_of(":status", status, NGHTTP2_NV_FLAG_NO_COPY_NAME));
    const bool never_has_body = reply.status == 204 || reply.status == 304;
    if (!never_has_body) {
        if (!reply.body.empty() || !reply.last) add("content-type", reply.content_type);
        if (reply.last) add_varying("content-length", length);
    }
    add_fields(reply.fields);
    const bool has_body =
        !never_has_body && !reply.body.empty() && exchange.message.method != Method::kHead;
    if (has_body) exchange.outbound.push(reply.body);
    if (reply.last) exchange.outbound.end();
    exchange.headers_sent = true;
    return submit_fields(session, exchange, has_body || !reply.last);
}

bool ReplyWriter::submit_grpc(nghttp2_session* session, Http2Exchange& exchange) {
    const Reply& reply = exchange.reply;
    if (reply.has_body) frame_message(exchange);
    if (reply.last) exchange.outbound.end();
    if (exchange.headers_sent) {
        // The one error is that nothing is deferred: frames are on their way, and find this too.
        nghttp2_session_resume_data(session, exchange.stream_id);
        return true;
    }
    if (!reply.has_body && !reply.last) return true;
    add(":status", "200");
    add("content-type", "application/grpc");
    add("grpc-accept-encoding", "identity,deflate,gzip");
    if (reply.has_body) {
        if (exchange.compresses_replies()) add("grpc-encoding", "gzip");
    } else {
        // Trailers-only: a proxy may retry the call elsewhere, since nothing was answered yet.
        add_grpc_status(reply);
    }
    exchange.headers_sent = true;
    return submit_fields(session, exchange, reply.has_body);
}

bool ReplyWriter::submit_fields(nghttp2_session* session,
                                Http2Exchange& exchange,
                                bool body_follows) {
    nghttp2_data_provider provider{};
    provider.source.ptr = &exchange;
    provider.read_callback = read_body_callback;
    return nghttp2_submit_response(session,
                                   exchange.stream_id,
                                   fields_.data(),
                                   fields_.size(),
                                   body_follows ? &provider : nullptr) == 0;
}

void ReplyWriter::frame_message(Http2Exchange& exchange) {
    Reply& reply = exchange.reply;
    const std::size_t size = reply.body.size();
    if (size > std::numeric_limits<std::uint32_t>::max()) {
        reply.has_body = false;
        reply.last = true;
        reply.grpc_status = kGrpcInternal;
        reply.grpc_message =
            "answer of " + std::to_string(size) + " bytes exceeds the 2^32-1 that gRPC can frame";
        return;
    }
    exchange.outbound.push(grpc_prefix(size, exchange.reply_packed), reply.body);
}

ssize_t ReplyWriter::read(nghttp2_session* session,
                          Http2Exchange& exchange,
                          std::size_t room,
                          std::uint32_t& flags) {
    const std::size_t count = std::min(room, exchange.outbound.available());
    if (exchange.outbound.ends_with(count)) {
        flags |= NGHTTP2_DATA_FLAG_EOF;
        if (exchange.message.grpc) {
            flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            fields_.clear();
            add_grpc_status(exchange.reply);
            // Trailers must be queued here: any earlier, and they would overtake the body.
            if (nghttp2_submit_trailer(
                    session, exchange.stream_id, fields_.data(), fields_.size()) != 0) {
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
            }
        }
    } else if (count == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return static_cast<ssize_t>(count);
}

void ReplyWriter::add(std::string_view name, std::string_view value) {
    fields_.push_back(
        nv_of(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE));
}

void ReplyWriter::add_varying(std::string_view name, std::string_view value) {
    fields_.push_back(nv_of(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX));
}

void ReplyWriter::add_fields(const FieldList& fields) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (is_left_out(fields.name(i))) continue;
        fields_.push_back(nv_of(fields.name(i), fields.value(i), NGHTTP2_NV_FLAG_NO_INDEX));
    }
}

void ReplyWriter::add_grpc_status(const Reply& reply) {
    if (reply.grpc_status == 0) {
        add("grpc-status", "0");
    } else {
        grpc_status_ = std::to_string(reply.grpc_status);
        add_varying("grpc-status", grpc_status_);
    }
    if (!reply.grpc_message.empty()) {
        grpc_message_.clear();
        append_percent_encoded(reply.grpc_message, kMaxGrpcMessageBytes, grpc_message_);
        add_varying("grpc-message", grpc_message_);
    }
    add_fields(reply.fields);
}

}  // namespace lepton::net
