#pragma once

#include <cstddef>
#include <memory>

#include "lepton/core/infer_call.h"
#include "lepton/net/message.h"
#include "lepton/protocol/content_encoding.h"

namespace lepton::protocol {

class InferRoute;

// An inference that came as a message, and the outermost stage of its call: the answer leaves as
// the message's reply. One per exchange, reused for one inference after the other. Confined to the
// exchange's loop, but for what is put aside.
class InferExchange final : public net::HandlerState, private CallStage {
public:
    explicit InferExchange(net::Exchange& of) : exchange(of) {}

    // Makes it ready for the message that has come in. `route` has the answer encoded.
    void begin(const InferRoute& route);

    net::Exchange& exchange;
    InferCall call;
    // How an answer over HTTP is to be encoded.
    ContentEncoding encoding = ContentEncoding::kIdentity;
    // What work aside makes of a reply, until it is one; null otherwise.
    std::unique_ptr<net::Reply> draft;

    [[nodiscard]] const InferRoute& route() const { return *route_; }

    void on_sent(Clock::time_point when) noexcept override;
    void on_gone() noexcept override { call.cancel(); }
    void shrink(std::size_t keep_bytes) override;

private:
    void on_answer(InferCall& answered, Last last) noexcept override;

    const InferRoute* route_ = nullptr;
};

}  // namespace lepton::protocol
