#pragma once

#include <string_view>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/admin/access.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/grpc/grpc_health.h"
#include "lepton/protocol/kserve/grpc_infer.h"
#include "lepton/protocol/router.h"

namespace lepton::protocol {

// The gRPC half of the Router. Thread-safe.
class GrpcRoutes {
public:
    GrpcRoutes(InferService& service,
               const ModelCatalog& catalog,
               memory::BufferPool& pool,
               Router::Options options);

    void handle(net::Exchange& exchange) noexcept;

private:
    Result<> dispatch(net::Exchange& exchange);
    Result<> describe(std::string_view method, net::Exchange& exchange);
    Result<> reflect(net::Exchange& exchange);

    const ModelCatalog& catalog_;
    memory::BufferPool& pool_;
    const Router::Options options_;
    const ErrorStyle style_;
    const AccessRules access_;
    GrpcHealth health_;
    GrpcInfer infer_;
};

}  // namespace lepton::protocol
