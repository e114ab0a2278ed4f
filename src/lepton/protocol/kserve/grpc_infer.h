#pragma once

#include "lepton/protocol/kserve/infer_route.h"

namespace lepton::protocol {

// inference.GRPCInferenceService/ModelInfer.
class GrpcInfer final : public InferRoute {
public:
    using InferRoute::InferRoute;

private:
    Result<> decode(net::Exchange& exchange, const InferFields& fields) const override;
    [[nodiscard]] bool is_long_to_decode(const net::Message& message,
                                         const InferFields& fields) const override;
    Result<> encode(const net::Exchange& exchange, net::Reply& reply) const override;
    [[nodiscard]] bool is_long_to_encode(const net::Exchange& exchange) const override;
};

}  // namespace lepton::protocol
