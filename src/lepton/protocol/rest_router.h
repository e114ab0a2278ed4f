#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/admin/access.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/rest_route.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

// The HTTP half of the Router: finds the route in the families' tables, and asks whether its sender
// may have it. Thread-safe.
class RestRouter {
public:
    RestRouter(const Services& services,
               const Settings& settings,
               const std::vector<std::string_view>& grpc_services);

    void handle(net::Exchange& exchange) noexcept;

    // "GET, POST /v2/models/{model}[/versions/{version}]/config", each pattern once.
    [[nodiscard]] std::vector<std::string> routes() const;

private:
    struct Entry {
        RestRoutes::Line line;
        RestRoutes* family;
        std::size_t index;  // In the family's table.
    };
    struct Found {
        const Entry* entry;
        PathVariables path;
    };

    Result<> dispatch(net::Exchange& exchange);
    Result<Found> find(net::Exchange& exchange) const;
    void add(std::unique_ptr<RestRoutes> family);

    memory::BufferPool& pool_;
    const ErrorStyle style_;
    const AccessRules access_;
    std::vector<std::string> overview_;  // All routes, those of gRPC included.
    std::vector<std::unique_ptr<RestRoutes>> families_;
    std::vector<Entry> entries_;
};

}  // namespace lepton::protocol
