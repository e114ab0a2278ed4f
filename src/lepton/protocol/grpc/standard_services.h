#pragma once

#include <array>

#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/grpc/grpc_health.h"
#include "lepton/protocol/grpc_route.h"

namespace lepton::protocol {

// What every gRPC server has: health and reflection. Thread-safe.
class StandardServices final : public GrpcFamily<StandardServices> {
public:
    StandardServices(const ModelCatalog& catalog, memory::BufferPool& pool);

private:
    friend GrpcFamily;

    Result<> check(net::Exchange& exchange);
    Result<> watch(net::Exchange& exchange);
    Result<> reflect(net::Exchange& exchange);

    static const std::array<GrpcRoute<StandardServices>, 4> kRoutes;

    memory::BufferPool& pool_;
    GrpcHealth health_;
};

}  // namespace lepton::protocol
