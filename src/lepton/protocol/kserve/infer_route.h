#pragma once

#include <cstddef>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/memory/tensor_storage.h"
#include "lepton/net/message.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/kserve/infer_fields.h"
#include "lepton/protocol/router.h"

namespace lepton::protocol {

// Up to here a codec's work for one message is done on its loop; more of it goes aside, see
// Exchange::aside(), so that those who share the loop need not wait for it: about 0.3 ms of JSON,
// of strings that are walked and of numbers that are converted one by one; and of bytes copied.
inline constexpr std::size_t kDecodedOnLoop = std::size_t{64} << 10;
inline constexpr std::size_t kCopiedOnLoop = std::size_t{1} << 20;

class InferRoute;

// The stage of a transport's calls: takes the answer back to the exchange of its message.
class InferExchange final : public net::HandlerState, public CallStage {
public:
    explicit InferExchange(net::Exchange& exchange) : exchange_(exchange) {}

    void begin(const InferRoute& route, InferCall& call) {
        route_ = &route;
        call.push(*this);
    }
    void on_answer(InferCall& call, Last last) noexcept override;

private:
    net::Exchange& exchange_;
    const InferRoute* route_ = nullptr;
};

// The way of an inference from its message to its reply, and what every one has around it: the
// stations of its timeline, its trace, who looks on. A protocol adds its codec.
//
//     begin -> decode -> InferService::infer -> encode -> send
//              (aside where it is long)         (aside where it is long)
//
// Thread-safe.
class InferRoute {
public:
    InferRoute(InferService& service,
               const ModelCatalog& catalog,
               memory::BufferPool& pool,
               const Router::Options& options);
    InferRoute(const InferRoute&) = delete;
    InferRoute& operator=(const InferRoute&) = delete;

    // Leads to exchange.send(). Where the model's name is not in the message, it is set.
    void handle(net::Exchange& exchange) noexcept;

protected:
    ~InferRoute() = default;

    // Of the message into exchange.call.request, whose deadline is set. On the loop or aside.
    virtual Result<> decode(net::Exchange& exchange, const InferFields& fields) const = 0;
    [[nodiscard]] virtual bool is_long_to_decode(const net::Message& message,
                                                 const InferFields& fields) const = 0;
    // Of a response that is no error. On the loop or aside.
    virtual Result<> encode(const net::Exchange& exchange, net::Reply& reply) const = 0;
    [[nodiscard]] virtual bool is_long_to_encode(const net::Exchange& exchange) const = 0;

    const ModelCatalog& catalog_;
    memory::BufferPool& pool_;

private:
    friend class InferExchange;

    Result<> begin(net::Exchange& exchange, const InferFields& fields);
    void infer(net::Exchange& exchange);
    void refuse(net::Exchange& exchange, const Error& error) const;
    [[nodiscard]] Error reason_of(const InferCall& call, const Error& error) const;
    void answer(net::Exchange& exchange) const;
    Result<> encode_aside(net::Exchange& exchange) const;
    void send(net::Exchange& exchange) const;

    memory::TensorPool tensors_;
    InferService& service_;
    const Router::Options& options_;
    const ErrorStyle style_;
};

}  // namespace lepton::protocol
