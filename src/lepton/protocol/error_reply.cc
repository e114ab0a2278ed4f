#include "lepton/protocol/error_reply.h"

#include <string_view>

#include "lepton/protocol/json_writer.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

struct WireError {
    int http_status;
    int grpc_status;
    std::string_view message;
};

WireError in_style(const Error& error, ErrorStyle style) {
    const ErrorTraits& traits = traits_of(error.code);
    if (style == ErrorStyle::kTriton) {
        const ErrorTraits& unavailable = traits_of(ErrorCode::kUnavailable);
        switch (error.code) {
            case ErrorCode::kQueueFull:
            case ErrorCode::kOverloaded:
                return {
                    unavailable.http_status, unavailable.grpc_status, "Exceeds maximum queue size"};
            case ErrorCode::kDeadlineExceeded:
                return {
                    unavailable.http_status, unavailable.grpc_status, "Request timeout expired"};
            default:
                break;
        }
    }
    return {traits.http_status, traits.grpc_status, error.message};
}

}  // namespace

void prepare_body(memory::Buffer& body, std::size_t capacity, memory::BufferPool& pool) {
    if (body.capacity() == 0) body = pool.take(capacity);
    body.clear();
    body.reserve(capacity);
}

void write_error(net::Exchange& exchange,
                 const Error& error,
                 ErrorStyle style,
                 memory::BufferPool& pool) {
    net::Reply& reply = exchange.reply;
    const WireError wire = in_style(error, style);
    reply.last = true;
    if (exchange.message.grpc) {
        reply.has_body = false;
        reply.body.clear();
        reply.grpc_status = wire.grpc_status;
        reply.grpc_message.assign(wire.message);
        return;
    }
    constexpr int kTooManyRequests = 429;
    reply.status = wire.http_status;
    reply.content_type = "application/json";
    if (wire.http_status == kTooManyRequests) reply.fields.add("retry-after", "1");
    prepare_body(reply.body, wire.message.size() + 64, pool);
    JsonWriter json(reply.body);
    json.begin_object();
    json.key("error");
    json.string(wire.message);
    json.end_object();
}

}  // namespace lepton::protocol
