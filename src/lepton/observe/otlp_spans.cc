#include "lepton/observe/otlp_spans.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <otlp_trace.pb.h>

#include "lepton/core/stations.h"

namespace lepton::observe {
namespace {

using otlp::Span;

// https://github.com/open-telemetry/opentelemetry-proto, trace.proto, SpanFlags.
constexpr std::uint32_t kSampledFlag = 0x1;
constexpr std::uint32_t kKnowsIfRemote = 0x100;
constexpr std::uint32_t kIsRemote = 0x200;

constexpr int kFirstServerError = 500;

// Protobuf strings are UTF-8, and a collector refuses the whole batch for one that is not.
std::string as_ascii(std::string_view text) {
    std::string ascii(text);
    for (char& c : ascii) {
        if (c < ' ' || c > '~') c = '?';
    }
    return ascii;
}

void append_big_endian(std::uint64_t value, std::string& bytes) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
}

std::string span_id(std::uint64_t id) {
    std::string bytes;
    append_big_endian(id, bytes);
    return bytes;
}

std::string trace_id(const TraceContext& trace) {
    std::string bytes;
    append_big_endian(trace.trace_high, bytes);
    append_big_endian(trace.trace_low, bytes);
    return bytes;
}

std::uint64_t unix_nanos(Clock::time_point point, const ClockPair& clocks) {
    const auto wall = std::chrono::nanoseconds(clocks.wall.time_since_epoch());
    const auto ago = std::chrono::nanoseconds(clocks.steady - point);
    return static_cast<std::uint64_t>((wall - ago).count());
}

template <class Message>
otlp::AnyValue& add(Message& message, std::string_view key) {
    auto& attribute = *message.add_attributes();
    attribute.set_key(std::string(key));
    return *attribute.mutable_value();
}

void add_text(Span& span, std::string_view key, std::string_view value) {
    add(span, key).set_string_value(as_ascii(value));
}

void add_number(Span& span, std::string_view key, std::int64_t value) {
    add(span, key).set_int_value(value);
}

// The route with the model's name in its place.
std::string path_of(const RequestRecord& request) {
    constexpr std::string_view kModel = "{model}";
    std::string path(request.route);
    if (const std::size_t at = path.find(kModel); at != std::string::npos) {
        path.replace(at, kModel.size(), request.model_name.view());
    }
    return path;
}

// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
void describe_http(const RequestRecord& request, Span& span) {
    span.set_name("POST " + std::string(request.route));
    add_text(span, "http.request.method", "POST");
    add_text(span, "http.route", request.route);
    add_text(span, "url.scheme", "http");
    add_text(span, "url.path", path_of(request));
    add_number(span, "http.response.status_code", request.status);
    if (request.status >= kFirstServerError) {
        span.mutable_status()->set_code(otlp::Status::STATUS_CODE_ERROR);
    }
}

// The statuses that are the server's fault rather than the client's:
// https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
bool is_server_error(int grpc_status) {
    switch (grpc_status) {
        case 2:   // UNKNOWN
        case 4:   // DEADLINE_EXCEEDED
        case 12:  // UNIMPLEMENTED
        case 13:  // INTERNAL
        case 14:  // UNAVAILABLE
        case 15:  // DATA_LOSS
            return true;
        default:
            return false;
    }
}

void describe_grpc(const RequestRecord& request, Span& span) {
    const std::size_t slash = request.route.find('/');
    span.set_name(std::string(request.route));
    add_text(span, "rpc.system", "grpc");
    add_text(span, "rpc.service", request.route.substr(0, slash));
    add_text(span, "rpc.method", request.route.substr(std::min(slash + 1, request.route.size())));
    add_number(span, "rpc.grpc.status_code", request.status);
    if (is_server_error(request.status)) {
        span.mutable_status()->set_code(otlp::Status::STATUS_CODE_ERROR);
    }
}

void describe_inference(const RequestRecord& request, Span& span) {
    add_text(span,
             "lepton.model.name",
             request.model ? std::string_view(request.model->name) : request.model_name.view());
    if (request.model) add_text(span, "lepton.model.version", request.model->version);
    if (!request.id.view().empty()) add_text(span, "lepton.request.id", request.id.view());
    add_number(span, "lepton.rows", request.rows);
    if (request.batch_rows > 0) add_number(span, "lepton.batch.rows", request.batch_rows);
    if (request.timeline.admitted != Clock::time_point{}) {
        add_number(span, "lepton.queued_behind", static_cast<std::int64_t>(request.queued_behind));
    }
    if (request.priority > 0) add_number(span, "lepton.priority", request.priority);
    if (request.deadline != kNoDeadline) {
        const auto us = [](Clock::duration duration) {
            return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
        };
        add_number(span, "lepton.timeout_us", us(request.deadline - request.timeline.arrival()));
        add_number(span, "lepton.slack_us", us(request.deadline - request.timeline.written));
    }
    if (request.error) add_text(span, "error.type", traits_of(*request.error).label);
}

class SpanWriter {
public:
    SpanWriter(const ClockPair& clocks, otlp::ScopeSpans& out) : clocks_(clocks), out_(out) {}

    void write(const SpanRecord& record) {
        const RequestRecord& request = record.request;
        const Timeline& timeline = request.timeline;
        const auto stretches = stretches_of(timeline);
        Span& span = begin(request.trace,
                           request.trace.span,
                           request.trace.parent,
                           timeline.arrival(),
                           timeline.written);
        span.set_kind(Span::SPAN_KIND_SERVER);
        span.set_trace_state(record.trace_state);
        const bool grpc = request.protocol == CallProtocol::kGrpc;
        grpc ? describe_grpc(request, span) : describe_http(request, span);
        describe_inference(request, span);
        add_event(span, "received", timeline.received);
        add_event(span, "decoded", timeline.decoded);
        add_event(span, "encoded", timeline.encoded);
        std::uint64_t child = request.trace.span;
        for (const Stretch& stretch : stretches) {
            const bool shown =
                stretch.name == "queue" || stretch.name == "gather" || stretch.name == "compute";
            if (!shown || stretch.took() == Clock::duration::zero()) continue;
            // Derived from the parent's identifier, which is random; no bits are lost by it.
            child += 0x9e3779b97f4a7c15;
            Span& part = begin(request.trace,
                               child == 0 ? 1 : child,
                               request.trace.span,
                               stretch.begin,
                               stretch.end);
            part.set_kind(Span::SPAN_KIND_INTERNAL);
            part.set_name(std::string(stretch.name));
        }
    }

private:
    Span& begin(const TraceContext& trace,
                std::uint64_t id,
                std::uint64_t parent,
                Clock::time_point start,
                Clock::time_point end) {
        Span& span = *out_.add_spans();
        span.set_trace_id(trace_id(trace));
        span.set_span_id(span_id(id));
        if (parent != 0) span.set_parent_span_id(span_id(parent));
        span.set_start_time_unix_nano(unix_nanos(start, clocks_));
        span.set_end_time_unix_nano(unix_nanos(end, clocks_));
        const bool remote = parent != 0 && parent == trace.parent;
        span.set_flags(kSampledFlag | kKnowsIfRemote | (remote ? kIsRemote : 0));
        return span;
    }
    void add_event(Span& span, const char* name, Clock::time_point at) {
        if (at == Clock::time_point{}) return;
        Span::Event& event = *span.add_events();
        event.set_name(name);
        event.set_time_unix_nano(unix_nanos(at, clocks_));
    }

    const ClockPair& clocks_;
    otlp::ScopeSpans& out_;
};

}  // namespace

std::string encode_otlp(std::span<const SpanRecord> spans,
                        const ResourceAttributes& resource,
                        const ClockPair& clocks) {
    otlp::ExportTraceServiceRequest request;
    otlp::ResourceSpans& of_resource = *request.add_resource_spans();
    for (const auto& [key, value] : resource) {
        add(*of_resource.mutable_resource(), as_ascii(key)).set_string_value(as_ascii(value));
    }
    otlp::ScopeSpans& of_scope = *of_resource.add_scope_spans();
    of_scope.mutable_scope()->set_name("lepton");
    of_scope.mutable_scope()->set_version(LEPTON_VERSION);
    SpanWriter writer(clocks, of_scope);
    for (const SpanRecord& record : spans) writer.write(record);
    return request.SerializeAsString();
}

}  // namespace lepton::observe
