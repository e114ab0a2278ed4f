#pragma once

#include <array>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/grpc_route.h"
#include "lepton/protocol/kserve/grpc_infer.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

// The service inference.GRPCInferenceService. Thread-safe.
class KserveGrpc final : public GrpcFamily<KserveGrpc> {
public:
    KserveGrpc(const Services& services, const Settings& settings);

private:
    friend GrpcFamily;

    Result<> infer(net::Exchange& exchange);
    Result<> server_live(net::Exchange& exchange);
    Result<> server_ready(net::Exchange& exchange);
    Result<> server_metadata(net::Exchange& exchange);
    Result<> model_ready(net::Exchange& exchange);
    Result<> model_metadata(net::Exchange& exchange);
    Result<> model_config(net::Exchange& exchange);

    static const std::array<GrpcRoute<KserveGrpc>, 7> kRoutes;

    const Services& services_;
    const Settings& settings_;
    GrpcInfer infer_;
};

}  // namespace lepton::protocol
