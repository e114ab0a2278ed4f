#include "lepton/protocol/kserve/infer_route.h"

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "lepton/protocol/server_timing.h"

namespace lepton::protocol {
namespace {

// Only of an exchange whose message is an inference.
InferExchange& infer_of(net::Exchange& exchange) { return exchange.state<InferExchange>(); }

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
void add_traceparent(const TraceContext& trace, net::Reply& reply) {
    if (trace.parent == 0 || trace.span == 0) return;
    std::array<char, kTraceparentSize> text;
    write_traceparent(trace, text.data());
    reply.fields.add("traceparent", std::string_view(text.data(), text.size()));
}

void end(InferExchange& infer) {
    net::Reply& reply = infer.exchange.reply;
    infer.call.status = infer.exchange.message.grpc ? reply.grpc_status : reply.status;
    add_traceparent(infer.call.trace, reply);
}

void take_draft(InferExchange& infer) {
    const std::unique_ptr<net::Reply> draft = std::move(infer.draft);
    net::Reply& reply = infer.exchange.reply;
    reply.body.swap(draft->body);
    reply.fields = std::move(draft->fields);
    reply.content_type = draft->content_type;
}

}  // namespace

InferRoute::InferRoute(std::string_view name, const Services& services, const Settings& settings)
    : catalog_(services.catalog),
      pool_(services.buffers),
      name_(name),
      tensors_(services.buffers),
      services_(services),
      style_(settings.triton_errors ? ErrorStyle::kTriton : ErrorStyle::kLepton) {}

void InferRoute::handle(net::Exchange& exchange,
                        std::string_view model,
                        std::string_view version) noexcept {
    InferExchange& infer = infer_of(exchange);
    infer.call.request.model_name = model;
    infer.call.request.model_version = version;
    const InferFields fields = find_infer_fields(exchange.message.fields);
    if (const Result<> begun = begin(infer, fields); !begun) return refuse(infer, begun.error());
    if (!is_long_to_decode(exchange.message, fields)) {
        const Result<> decoded = within_memory([&] { return decode(infer, fields); });
        return decoded ? this->infer(infer) : refuse(infer, decoded.error());
    }
    exchange.aside(
        [](net::Exchange& of) noexcept {
            InferExchange& aside = infer_of(of);
            Result<> decoded = still_wanted(aside.call);
            if (decoded) {
                decoded = within_memory([&] {
                    return aside.route().decode(aside, find_infer_fields(of.message.fields));
                });
            }
            if (decoded) return;
            aside.call.response.error = std::move(decoded).error();
            // Freeing much memory takes long too.
            of.message.body = aside.route().pool_.take(0);
        },
        [](net::Exchange& of) noexcept {
            InferExchange& back = infer_of(of);
            const std::optional<Error> error =
                std::exchange(back.call.response.error, std::nullopt);
            error ? back.route().refuse(back, *error) : back.route().infer(back);
        });
}

// Before anything of it is decoded.
Result<> InferRoute::begin(InferExchange& infer, const InferFields& fields) {
    InferCall& call = infer.call;
    infer.begin(*this);
    call.route = name_;
    call.response.memory = &tensors_;
    if (fields.traceparent.data() != nullptr) {
        if (const auto trace = parse_traceparent(fields.traceparent)) {
            call.trace = *trace;
            call.trace.state = fields.tracestate;
        }
    }
    if (services_.observer != nullptr) {
        call.push(*services_.observer);
        services_.observer->on_begin(call);
    }
    LEPTON_TRY(call.request.deadline, deadline_of(fields, infer.exchange.message.arrival()));
    return {};
}

void InferRoute::infer(InferExchange& infer) const {
    infer.call.timeline.decoded = Clock::now();
    services_.inference.infer(infer.call);
}

// What could not be decoded.
void InferRoute::refuse(InferExchange& infer, const Error& error) const {
    const Error reason = reason_of(infer.call, error);
    write_error(infer.exchange, reason, style_, pool_);
    infer.call.response.error = reason;
    end(infer);
    infer.exchange.send();
}

// Where the model is unknown, that, whatever else is wrong. Those of a known one are reported.
Error InferRoute::reason_of(const InferCall& call, const Error& error) const {
    // Over gRPC the name is in the message, which may be malformed before it.
    if (call.request.model_name.empty()) return error;
    const auto model = catalog_.find(call.request.model_name, call.request.model_version);
    if (!model) return model.error().code == ErrorCode::kModelNotFound ? model.error() : error;
    if (services_.observations != nullptr) {
        services_.observations->on_undecoded(**model, call, error.code);
    }
    return error;
}

void InferRoute::answer(InferExchange& infer) const {
    InferCall& call = infer.call;
    if (!call.response.error) {
        const bool is_long = is_long_to_encode(infer);
        Result<> done = within_memory(
            [&] { return is_long ? encode_aside(infer) : encode(infer, infer.exchange.reply); });
        if (done && is_long) return;
        if (!done) call.response.error = std::move(done).error();
    }
    send(infer);
}

Result<> InferRoute::encode_aside(InferExchange& infer) const {
    infer.call.response.keep();
    infer.draft = std::make_unique<net::Reply>();
    infer.exchange.aside(
        [](net::Exchange& of) noexcept {
            InferExchange& aside = infer_of(of);
            Result<> encoded = still_wanted(aside.call);
            if (encoded) {
                encoded = within_memory([&] { return aside.route().encode(aside, *aside.draft); });
            }
            if (!encoded) aside.call.response.error = std::move(encoded).error();
        },
        [](net::Exchange& of) noexcept {
            InferExchange& back = infer_of(of);
            if (!back.call.response.error) take_draft(back);
            back.route().send(back);
        });
    return {};
}

// The answer, or the error that there is instead, with where the time went, and in which trace.
void InferRoute::send(InferExchange& infer) const {
    InferCall& call = infer.call;
    net::Exchange& exchange = infer.exchange;
    if (call.response.error) write_error(exchange, *call.response.error, style_, pool_);
    call.timeline.encoded = Clock::now();
    const ServerTiming timing(breakdown_of(call.timeline, call.timeline.encoded));
    exchange.reply.fields.add("server-timing", timing.text());
    end(infer);
    exchange.send();
}

}  // namespace lepton::protocol
