#pragma once

#include "lepton/protocol/kserve/infer_route.h"

namespace lepton::protocol {

// POST /v2/models/{m}[/versions/{v}]/infer. The names of the target are in the request already.
class RestInfer final : public InferRoute {
public:
    RestInfer(const Services& services, const Settings& settings)
        : InferRoute("/v2/models/{model}/infer", services, settings),
          max_body_bytes_(settings.max_body_bytes) {}

private:
    Result<> decode(InferExchange& infer, const InferFields& fields) const override;
    [[nodiscard]] bool is_long_to_decode(const net::Message& message,
                                         const InferFields& fields) const override;
    Result<> encode(const InferExchange& infer, net::Reply& reply) const override;
    [[nodiscard]] bool is_long_to_encode(const InferExchange& infer) const override;

    const std::size_t max_body_bytes_;
};

}  // namespace lepton::protocol
