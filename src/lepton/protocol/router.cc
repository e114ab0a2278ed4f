#include "lepton/protocol/router.h"

#include <utility>

#include "lepton/protocol/kserve/grpc_routes.h"
#include "lepton/protocol/kserve/rest_routes.h"

namespace lepton::protocol {

Router::Router(InferService& service,
               const ModelCatalog& catalog,
               memory::BufferPool& pool,
               Options options)
    : rest_(std::make_unique<RestRoutes>(service, catalog, pool, options)),
      grpc_(std::make_unique<GrpcRoutes>(service, catalog, pool, std::move(options))) {}

Router::~Router() = default;

void Router::handle(net::Exchange& exchange) noexcept {
    if (exchange.message.grpc) {
        grpc_->handle(exchange);
    } else {
        rest_->handle(exchange);
    }
}

}  // namespace lepton::protocol
