#include "lepton/protocol/kserve/infer_route.h"

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "lepton/protocol/server_timing.h"

namespace lepton::protocol {
namespace {

InferRoute& route_of(const net::Exchange& exchange) {
    return *static_cast<InferRoute*>(exchange.handler_state);
}

// What was put aside may have waited there.
Result<> still_wanted(const InferCall& call) {
    if (call.cancelled.load(std::memory_order_relaxed)) {
        return fail(ErrorCode::kCancelled, "the client went away");
    }
    if (Clock::now() > call.request.deadline) {
        return fail(ErrorCode::kDeadlineExceeded, "deadline exceeded on the way to the model");
    }
    return {};
}

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

void take_draft(net::Exchange& exchange) {
    const std::unique_ptr<net::Reply> draft = std::move(exchange.draft);
    exchange.reply.body.swap(draft->body);
    exchange.reply.fields = std::move(draft->fields);
    exchange.reply.content_type = draft->content_type;
}

}  // namespace

InferRoute::InferRoute(InferService& service,
                       const ModelCatalog& catalog,
                       memory::BufferPool& pool,
                       const Router::Options& options)
    : catalog_(catalog),
      pool_(pool),
      tensors_(pool),
      service_(service),
      options_(options),
      style_(options.triton_errors ? ErrorStyle::kTriton : ErrorStyle::kLepton) {}

void InferRoute::handle(net::Exchange& exchange) noexcept {
    const InferFields fields = find_infer_fields(exchange.message.fields);
    if (const Result<> begun = begin(exchange, fields); !begun) {
        return refuse(exchange, begun.error());
    }
    if (!is_long_to_decode(exchange.message, fields)) {
        const Result<> decoded = within_memory([&] { return decode(exchange, fields); });
        return decoded ? infer(exchange) : refuse(exchange, decoded.error());
    }
    exchange.aside(
        [](net::Exchange& of) noexcept {
            Result<> decoded = still_wanted(of.call);
            if (decoded) {
                decoded = within_memory([&of] {
                    return route_of(of).decode(of, find_infer_fields(of.message.fields));
                });
            }
            if (decoded) return;
            of.call.response.error = std::move(decoded).error();
            // Freeing much memory takes long too.
            of.message.body = route_of(of).pool_.take(0);
        },
        [](net::Exchange& of) noexcept {
            const std::optional<Error> error = std::exchange(of.call.response.error, std::nullopt);
            error ? route_of(of).refuse(of, *error) : route_of(of).infer(of);
        });
}

// Before anything of it is decoded.
Result<> InferRoute::begin(net::Exchange& exchange, const InferFields& fields) {
    InferCall& call = exchange.call;
    exchange.handler_state = this;
    exchange.state<InferExchange>().begin(*this, call);
    call.response.memory = &tensors_;
    call.timeline.begun = exchange.message.begun;
    call.timeline.received = exchange.message.received;
    call.protocol = exchange.message.grpc ? CallProtocol::kGrpc : CallProtocol::kHttp;
    if (fields.traceparent.data() != nullptr) {
        if (const auto trace = parse_traceparent(fields.traceparent)) {
            call.trace = *trace;
            call.trace.state = fields.tracestate;
        }
    }
    if (options_.observer != nullptr) {
        call.push(*options_.observer);
        options_.observer->on_begin(call);
    }
    LEPTON_TRY(call.request.deadline, deadline_of(fields, exchange.message.arrival()));
    return {};
}

void InferRoute::infer(net::Exchange& exchange) {
    InferCall& call = exchange.call;
    call.timeline.decoded = Clock::now();
    service_.infer(call);
}

// What could not be decoded.
void InferRoute::refuse(net::Exchange& exchange, const Error& error) const {
    const Error reason = reason_of(exchange.call, error);
    write_error(exchange, reason, style_, pool_);
    exchange.call.response.error = reason;
    end(exchange);
    exchange.send();
}

// Where the model is unknown, that, whatever else is wrong. Those of a known one are reported.
Error InferRoute::reason_of(const InferCall& call, const Error& error) const {
    // Over gRPC the name is in the message, which may be malformed before it.
    if (call.request.model_name.empty()) return error;
    const auto model = catalog_.find(call.request.model_name, call.request.model_version);
    if (!model) return model.error().code == ErrorCode::kModelNotFound ? model.error() : error;
    if (options_.on_undecoded) options_.on_undecoded(**model, call, error.code);
    return error;
}

void InferExchange::on_answer(InferCall& /*call*/, Last /*last*/) noexcept {
    route_->answer(exchange_);
}

void InferRoute::answer(net::Exchange& exchange) const {
    InferCall& call = exchange.call;
    if (!call.response.error) {
        const bool is_long = is_long_to_encode(exchange);
        Result<> done = within_memory(
            [&] { return is_long ? encode_aside(exchange) : encode(exchange, exchange.reply); });
        if (done && is_long) return;
        if (!done) call.response.error = std::move(done).error();
    }
    send(exchange);
}

Result<> InferRoute::encode_aside(net::Exchange& exchange) const {
    exchange.call.response.keep();
    exchange.draft = std::make_unique<net::Reply>();
    exchange.aside(
        [](net::Exchange& of) noexcept {
            Result<> encoded = still_wanted(of.call);
            if (encoded) {
                encoded = within_memory([&of] { return route_of(of).encode(of, *of.draft); });
            }
            if (!encoded) of.call.response.error = std::move(encoded).error();
        },
        [](net::Exchange& of) noexcept {
            if (!of.call.response.error) take_draft(of);
            route_of(of).send(of);
        });
    return {};
}

// The answer, or the error that there is instead, with where the time went, and in which trace.
void InferRoute::send(net::Exchange& exchange) const {
    const InferCall& call = exchange.call;
    if (call.response.error) write_error(exchange, *call.response.error, style_, pool_);
    exchange.call.timeline.encoded = Clock::now();
    const ServerTiming timing(breakdown_of(call.timeline, call.timeline.encoded));
    exchange.reply.fields.add("server-timing", timing.text());
    end(exchange);
    exchange.send();
}

}  // namespace lepton::protocol
