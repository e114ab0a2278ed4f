#include "lepton/protocol/infer_frame.h"

#include <array>
#include <string_view>

#include "lepton/protocol/server_timing.h"

namespace lepton::protocol {
namespace {

// Who sent a span as the parent is told which span became of it. An answer to others needs none.
void add_traceparent(net::Exchange& exchange) {
    const TraceContext& trace = exchange.call.trace;
    if (trace.parent == 0 || trace.span == 0) return;
    std::array<char, kTraceparentSize> text;
    write_traceparent(trace, text.data());
    exchange.reply.fields.add("traceparent", std::string_view(text.data(), text.size()));
}

void end(net::Exchange& exchange) {
    const net::Reply& reply = exchange.reply;
    exchange.call.status = exchange.message.grpc ? reply.grpc_status : reply.status;
    add_traceparent(exchange);
}

}  // namespace

void begin_infer(net::Exchange& exchange, const InferFields& fields, CallObserver* observer) {
    InferCall& call = exchange.call;
    call.timeline.begun = exchange.message.begun;
    call.timeline.received = exchange.message.received;
    call.protocol = exchange.message.grpc ? CallProtocol::kGrpc : CallProtocol::kHttp;
    if (fields.traceparent.data() != nullptr) {
        if (const auto trace = parse_traceparent(fields.traceparent)) {
            call.trace = *trace;
            call.trace.state = fields.tracestate;
        }
    }
    call.observer = observer;
    if (observer != nullptr) observer->on_begin(call);
}

void end_infer(net::Exchange& exchange) {
    Timeline& timeline = exchange.call.timeline;
    timeline.encoded = Clock::now();
    const ServerTiming timing(breakdown_of(timeline, timeline.encoded));
    exchange.reply.fields.add("server-timing", timing.text());
    end(exchange);
}

Error refuse_infer(const net::Exchange& exchange,
                   Error error,
                   const ModelCatalog& catalog,
                   const Router::Options& options) {
    const InferCall& call = exchange.call;
    // Over gRPC the name is in the message, which may be malformed before it.
    if (call.request.model_name.empty()) return error;
    const auto model = catalog.find(call.request.model_name, call.request.model_version);
    if (!model) return model.error().code == ErrorCode::kModelNotFound ? model.error() : error;
    if (options.on_undecoded) options.on_undecoded(**model, call, error.code);
    return error;
}

void end_refused_infer(net::Exchange& exchange, const Error& error) {
    if (exchange.call.protocol == CallProtocol::kInProcess) return;
    exchange.call.response.error = error;
    end(exchange);
}

}  // namespace lepton::protocol
