#pragma once

#include <cstddef>
#include <string_view>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/memory/tensor_storage.h"
#include "lepton/net/message.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/kserve/infer_exchange.h"
#include "lepton/protocol/kserve/infer_fields.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

// Up to here a codec's work for one message is done on its loop; more of it goes aside, see
// Exchange::aside(), so that those who share the loop need not wait for it: about 0.3 ms of JSON,
// of strings that are walked and of numbers that are converted one by one; and of bytes copied.
inline constexpr std::size_t kDecodedOnLoop = std::size_t{64} << 10;
inline constexpr std::size_t kCopiedOnLoop = std::size_t{1} << 20;

// The way of an inference from its message to its reply, and what every one has around it: the
// stations of its timeline, its trace, who looks on. A protocol adds its codec.
//
//     begin -> decode -> InferService::infer -> encode -> send
//              (aside where it is long)         (aside where it is long)
//
// Thread-safe.
class InferRoute {
public:
    // `name`: of the route, for traces; static storage.
    InferRoute(std::string_view name, const Services& services, const Settings& settings);
    InferRoute(const InferRoute&) = delete;
    InferRoute& operator=(const InferRoute&) = delete;

    // Leads to exchange.send(). The model's name is given where it is not in the message.
    void handle(net::Exchange& exchange,
                std::string_view model = {},
                std::string_view version = {}) noexcept;

    // The call has its answer, which becomes the reply.
    void answer(InferExchange& infer) const;

protected:
    ~InferRoute() = default;

    // Reads the message into infer.call.request, whose deadline is set. On the loop or aside.
    virtual Result<> decode(InferExchange& infer, const InferFields& fields) const = 0;
    [[nodiscard]] virtual bool is_long_to_decode(const net::Message& message,
                                                 const InferFields& fields) const = 0;
    // Writes a response that is no error. On the loop or aside.
    virtual Result<> encode(const InferExchange& infer, net::Reply& reply) const = 0;
    [[nodiscard]] virtual bool is_long_to_encode(const InferExchange& infer) const = 0;

    const ModelCatalog& catalog_;
    memory::BufferPool& pool_;

private:
    Result<> begin(InferExchange& infer, const InferFields& fields);
    void infer(InferExchange& infer) const;
    void refuse(InferExchange& infer, const Error& error) const;
    [[nodiscard]] Error reason_of(const InferCall& call, const Error& error) const;
    Result<> encode_aside(InferExchange& infer) const;
    void send(InferExchange& infer) const;

    const std::string_view name_;
    memory::TensorPool tensors_;
    const Services& services_;
    const ErrorStyle style_;
};

}  // namespace lepton::protocol
