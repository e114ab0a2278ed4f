#include "lepton/protocol/kserve/infer_exchange.h"

#include "lepton/memory/buffer_pool.h"
#include "lepton/protocol/kserve/infer_route.h"

namespace lepton::protocol {

void InferExchange::begin(const InferRoute& route) {
    route_ = &route;
    call.loop = exchange.loop;
    call.client = exchange.peer->number;
    call.protocol = exchange.message.grpc ? CallProtocol::kGrpc : CallProtocol::kHttp;
    call.timeline.begun = exchange.message.begun;
    call.timeline.received = exchange.message.received;
    call.push(*this);
}

void InferExchange::on_answer(InferCall& /*answered*/, Last /*last*/) noexcept {
    route_->answer(*this);
}

// What the call refers to, the model above all, must not be kept until the next one.
void InferExchange::on_sent(Clock::time_point when) noexcept {
    call.timeline.written = when;
    call.written();
    call.reset();
}

void InferExchange::shrink(std::size_t keep_bytes) {
    net::shrink_storage(call.request.inputs, keep_bytes);
    net::shrink_storage(call.request.outputs, keep_bytes);
    net::shrink_storage(call.request.parameters, keep_bytes);
    net::shrink_storage(call.response.outputs, keep_bytes);
}

}  // namespace lepton::protocol
