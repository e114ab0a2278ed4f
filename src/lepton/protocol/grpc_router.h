#pragma once

#include <cstddef>
#include <memory>
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
#include "lepton/protocol/grpc_route.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

// The gRPC half of the Router: finds the method in the families' tables. Thread-safe.
class GrpcRouter {
public:
    GrpcRouter(const Services& services, const Settings& settings);

    void handle(net::Exchange& exchange) noexcept;

    // Their names, each once.
    [[nodiscard]] std::vector<std::string_view> services() const;

private:
    struct Entry {
        std::string path;  // "/inference.GRPCInferenceService/ModelInfer"
        GrpcRoutes::Line line;
        GrpcRoutes* family;
        std::size_t index;  // In the family's table.
    };

    Result<> dispatch(net::Exchange& exchange);
    void add(std::unique_ptr<GrpcRoutes> family);

    memory::BufferPool& pool_;
    const ErrorStyle style_;
    const AccessRules access_;
    std::vector<std::unique_ptr<GrpcRoutes>> families_;
    std::vector<Entry> entries_;
};

}  // namespace lepton::protocol
