#include "lepton/protocol/error_reply.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>

#include "lepton/protocol/admin/machine_paths.h"
#include "lepton/protocol/json/json_writer.h"
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

// What became of a file, a library or a model is no client's word.
bool may_tell_paths(ErrorCode code) {
    return code == ErrorCode::kUnavailable || code == ErrorCode::kInternal;
}

bool is_busy(const Error& error) {
    return error.code == ErrorCode::kQueueFull || error.code == ErrorCode::kOverloaded;
}

// HTTP has seconds only (RFC 9110, 10.2.3); `retry-after-ms` tells clients that know it more.
void add_retry_after(const Error& error, net::Exchange& exchange) {
    using std::chrono::ceil;
    net::FieldList& fields = exchange.reply.fields;
    char text[24];
    const auto to_text = [&text](std::int64_t count) {
        const auto [end, failed] = std::to_chars(text, text + sizeof text, count);
        return std::string_view(text, static_cast<std::size_t>(end - text));
    };
    if (!exchange.message.grpc) {
        const auto seconds = ceil<std::chrono::seconds>(error.retry_after).count();
        fields.add("retry-after", to_text(std::max<std::int64_t>(1, seconds)));
    }
    if (error.retry_after.count() <= 0) return;
    const auto milliseconds = ceil<std::chrono::milliseconds>(error.retry_after).count();
    fields.add("retry-after-ms", to_text(milliseconds));
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
                 memory::BufferPool& pool,
                 std::string_view admin_url) {
    net::Reply& reply = exchange.reply;
    WireError wire = in_style(error, style);
    std::string plain;
    if (may_tell_paths(error.code) && exchange.peer->door != net::Door::kAdmin) {
        wire.message = plain = without_paths(wire.message);
    }
    reply.last = true;
    const bool busy = is_busy(error) && style == ErrorStyle::kLepton;
    if (busy) add_retry_after(error, exchange);
    if (exchange.message.grpc) {
        reply.has_body = false;
        reply.body.clear();
        reply.grpc_status = wire.grpc_status;
        reply.grpc_message.assign(wire.message);
        return;
    }
    reply.status = wire.http_status;
    reply.content_type = "application/json";
    prepare_body(reply.body, wire.message.size() + admin_url.size() + 64, pool);
    JsonWriter json(reply.body);
    json.begin_object();
    json.key("error");
    json.string(wire.message);
    if (!admin_url.empty()) {
        json.key("admin_url");
        json.string(admin_url);
    }
    json.end_object();
}

}  // namespace lepton::protocol
