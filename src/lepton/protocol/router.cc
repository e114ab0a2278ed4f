#include "lepton/protocol/router.h"

#include <utility>

#include "lepton/protocol/grpc_router.h"
#include "lepton/protocol/rest_router.h"

namespace lepton::protocol {

Router::Router(const Services& services, Settings settings)
    : services_(services),
      settings_(std::move(settings)),
      grpc_(std::make_unique<GrpcRouter>(services_, settings_)),
      rest_(std::make_unique<RestRouter>(services_, settings_, grpc_->services())) {}

Router::~Router() = default;

void Router::handle(net::Exchange& exchange) noexcept {
    if (exchange.message.grpc) {
        grpc_->handle(exchange);
    } else {
        rest_->handle(exchange);
    }
}

}  // namespace lepton::protocol
