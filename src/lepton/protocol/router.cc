#include "lepton/protocol/router.h"

#include <utility>

#include "lepton/protocol/grpc_router.h"
#include "lepton/protocol/rest_router.h"

namespace lepton::protocol {

Router::Router(InferService& service,
               const ModelCatalog& catalog,
               memory::BufferPool& pool,
               Options options)
    : options_(std::move(options)),
      grpc_(std::make_unique<GrpcRouter>(service, catalog, pool, options_)),
      rest_(std::make_unique<RestRouter>(service, catalog, pool, options_, grpc_->services())) {}

Router::~Router() = default;

void Router::handle(net::Exchange& exchange) noexcept {
    if (exchange.message.grpc) {
        grpc_->handle(exchange);
    } else {
        rest_->handle(exchange);
    }
}

}  // namespace lepton::protocol
