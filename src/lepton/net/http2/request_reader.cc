#include "lepton/net/http2/request_reader.h"

#include <algorithm>

#include "lepton/net/promised_bytes.h"

namespace lepton::net {
namespace {

// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
constexpr int kGrpcUnknown = 2;
constexpr int kGrpcResourceExhausted = 8;
constexpr int kGrpcUnimplemented = 12;
constexpr int kGrpcInternal = 13;

constexpr unsigned kCompressed = 1;

bool takes_message(const Http2Exchange& exchange) {
    return !exchange.with_handler && !exchange.unpacking && !exchange.deferred &&
           !exchange.ignores_input();
}

Error too_large(const char* what, std::uint64_t bytes, std::size_t limit) {
    return {ErrorCode::kPayloadTooLarge,
            std::string(what) + " of " + std::to_string(bytes) + " bytes exceeds the limit of " +
                std::to_string(limit)};
}

}  // namespace

void RequestReader::on_head(Http2Exchange& exchange) {
    const RequestHead& head = exchange.head;
    exchange.head_complete = true;
    exchange.message.grpc = head.content == GrpcContent::kProto && head.post;
    if (head.bytes > limits_.max_head_bytes) {
        host_.refuse(exchange,
                     {431,
                      kGrpcResourceExhausted,
                      "header list of " + std::to_string(head.bytes) +
                          " bytes exceeds the limit of " + std::to_string(limits_.max_head_bytes)});
    } else if (head.hosts_differ) {
        // RFC 9113 section 8.3.1.
        host_.refuse(exchange,
                     {400, kGrpcInternal, "field \"host\" is not what \":authority\" says"});
    } else if (head.connects) {
        // Such a stream has no end that could be waited for.
        host_.refuse(exchange, {405, kGrpcUnimplemented, "method CONNECT is not offered"});
    } else if (head.content != GrpcContent::kNone || head.has_grpc_fields) {
        on_grpc_head(exchange);
    } else if (head.content_length > limits_.max_body_bytes) {
        refuse(exchange, too_large("request body", *head.content_length, limits_.max_body_bytes));
    }
}

void RequestReader::on_grpc_head(Http2Exchange& exchange) {
    const RequestHead& head = exchange.head;
    if (head.content != GrpcContent::kProto) {
        host_.refuse(exchange,
                     {415, kGrpcUnknown, "content-type of a gRPC call must be application/grpc"});
    } else if (!head.post) {
        exchange.reply.fields.add("allow", "POST");
        host_.refuse(exchange, {405, kGrpcUnknown, "method of a gRPC call must be POST"});
    } else if (head.encoding == RequestHead::Encoding::kOther) {
        const std::string_view encoding = exchange.message.fields.find("grpc-encoding");
        host_.refuse(exchange,
                     {501,
                      kGrpcUnimplemented,
                      "grpc-encoding \"" + std::string(encoding) +
                          "\" is not one of identity, deflate, gzip"});
    }
}

std::size_t RequestReader::on_data(Http2Exchange& exchange, std::span<const std::byte> data) {
    if (exchange.ignores_input()) return data.size();
    if (!exchange.message.grpc) {
        const std::size_t size = exchange.message.body.size() + data.size();
        if (size > limits_.max_body_bytes) {
            refuse(exchange, too_large("request body", size, limits_.max_body_bytes));
            return data.size();
        }
        if (exchange.head.content_length) {
            reserve(exchange.message.body, data.size(), *exchange.head.content_length);
        }
        exchange.message.body.append(data);
        return data.size();
    }
    const std::size_t taken = exchange.inbox.empty() ? feed(exchange, data) : 0;
    if (exchange.ignores_input()) return data.size();
    if (taken < data.size()) exchange.stash(data.subspan(taken));
    return taken;
}

void RequestReader::on_end(Http2Exchange& exchange) {
    exchange.request_ended = true;
    if (!takes_message(exchange)) return;
    if (!exchange.message.grpc) {
        host_.deliver(exchange);
    } else if (exchange.inbox.empty()) {
        finish_grpc_call(exchange);
    }
}

std::size_t RequestReader::resume(Http2Exchange& exchange) {
    const std::size_t unread = exchange.inbox.size() - exchange.inbox_read;
    std::size_t taken = feed(exchange, exchange.inbox.bytes().subspan(exchange.inbox_read));
    if (exchange.ignores_input()) taken = unread;
    exchange.inbox_read += taken;
    if (taken == unread) {
        exchange.inbox.release();
        exchange.inbox_read = 0;
        if (exchange.request_ended && takes_message(exchange)) finish_grpc_call(exchange);
    }
    return taken;
}

// Takes bytes until a message is with the handler, or there are none left.
std::size_t RequestReader::feed(Http2Exchange& exchange, std::span<const std::byte> data) {
    GrpcReader& reader = exchange.reader;
    std::size_t taken = 0;
    while (takes_message(exchange)) {
        if (!reader.has_prefix()) {
            taken += reader.read_prefix(data.subspan(taken));
            if (!reader.has_prefix() || !begin_grpc_message(exchange)) break;
        }
        memory::Buffer& to = reader.flag() == kCompressed ? exchange.packed : exchange.message.body;
        reserve(to, std::min(reader.missing(), data.size() - taken), reader.length());
        taken += reader.read_body(data.subspan(taken), to);
        if (!reader.has_message()) break;
        finish_grpc_message(exchange);
    }
    return taken;
}

void RequestReader::reserve(memory::Buffer& buffer, std::size_t count, std::uint64_t promised) {
    if (!buffer.empty() && buffer.size() + count <= buffer.capacity()) return;
    // What other streams of the connection hold leaves so much to promises.
    const std::uint64_t believed =
        std::min<std::uint64_t>(promised, buffer.capacity() + host_.spare_bytes());
    reserve_promised(buffer, count, static_cast<std::size_t>(believed));
}

bool RequestReader::begin_grpc_message(Http2Exchange& exchange) {
    const GrpcReader& reader = exchange.reader;
    if (reader.length() > limits_.max_body_bytes) {
        refuse(exchange, too_large("gRPC message", reader.length(), limits_.max_body_bytes));
        return false;
    }
    if (reader.flag() > kCompressed) {
        host_.refuse(exchange,
                     {400,
                      kGrpcInternal,
                      "gRPC message has flag " + std::to_string(reader.flag()) +
                          ", only 0 and 1 are defined"});
        return false;
    }
    const bool compressed = reader.flag() == kCompressed;
    if (compressed && exchange.head.encoding == RequestHead::Encoding::kIdentity) {
        // https://github.com/grpc/grpc/blob/master/doc/compression.md asks for INTERNAL.
        host_.refuse(exchange,
                     {400,
                      kGrpcInternal,
                      "gRPC message is compressed, but grpc-encoding names no encoding"});
        return false;
    }
    exchange.begin_message();
    exchange.message.has_body = true;
    return true;
}

void RequestReader::finish_grpc_message(Http2Exchange& exchange) {
    const bool compressed = exchange.reader.flag() == kCompressed;
    exchange.reader.next();
    compressed ? host_.unpack(exchange) : host_.deliver(exchange);
}

void RequestReader::finish_grpc_call(Http2Exchange& exchange) {
    if (!exchange.reader.between_messages()) {
        host_.refuse(exchange, {400, kGrpcInternal, "gRPC call ends within a message"});
        return;
    }
    if (exchange.end_delivered) return;
    exchange.end_delivered = true;
    exchange.begin_message();
    exchange.message.has_body = false;
    host_.deliver(exchange);
}

void RequestReader::refuse(Http2Exchange& exchange, const Error& error) {
    const ErrorTraits& traits = traits_of(error.code);
    host_.refuse(exchange, {traits.http_status, traits.grpc_status, error.message});
}

}  // namespace lepton::net
