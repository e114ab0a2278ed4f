#pragma once

#include "lepton/protocol/kserve/infer_route.h"

namespace lepton::protocol {

// inference.GRPCInferenceService/ModelInfer.
class GrpcInfer final : public InferRoute {
public:
    GrpcInfer(const Services& services, const Settings& settings)
        : InferRoute("inference.GRPCInferenceService/ModelInfer", services, settings) {}

private:
    Result<> decode(InferExchange& infer, const InferFields& fields) const override;
    [[nodiscard]] bool is_long_to_decode(const net::Message& message,
                                         const InferFields& fields) const override;
    Result<> encode(const InferExchange& infer, net::Reply& reply) const override;
    [[nodiscard]] bool is_long_to_encode(const InferExchange& infer) const override;
};

}  // namespace lepton::protocol
