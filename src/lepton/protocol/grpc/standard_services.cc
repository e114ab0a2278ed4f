#include "lepton/protocol/grpc/standard_services.h"

#include <string_view>

#include "lepton/protocol/grpc/grpc_reflection.h"

namespace lepton::protocol {
namespace {

constexpr std::string_view kHealth = "grpc.health.v1.Health";
// Older versions of grpcurl ask for the second.
constexpr std::string_view kReflection = "grpc.reflection.v1.ServerReflection";
constexpr std::string_view kOldReflection = "grpc.reflection.v1alpha.ServerReflection";
constexpr std::string_view kInfo = "ServerReflectionInfo";

}  // namespace

constexpr std::array<GrpcRoute<StandardServices>, 4> StandardServices::kRoutes = {{
    {kHealth, "Check", GrpcTakes::kName, &StandardServices::check, Access::kData},
    {kHealth, "Watch", GrpcTakes::kStream, &StandardServices::watch, Access::kData},
    {kReflection, kInfo, GrpcTakes::kStream, &StandardServices::reflect, Access::kData},
    {kOldReflection, kInfo, GrpcTakes::kStream, &StandardServices::reflect, Access::kData},
}};

StandardServices::StandardServices(const ModelCatalog& catalog, memory::BufferPool& pool)
    : pool_(pool), health_(catalog, pool) {}

Result<> StandardServices::check(net::Exchange& exchange) {
    LEPTON_RETURN_IF_ERROR(health_.check(exchange));
    exchange.send();
    return {};
}

Result<> StandardServices::watch(net::Exchange& exchange) { return health_.watch(exchange); }

Result<> StandardServices::reflect(net::Exchange& exchange) {
    exchange.reply.clear();
    if (exchange.message.has_body) {
        LEPTON_RETURN_IF_ERROR(answer_reflection(exchange.message, pool_, exchange.reply));
        exchange.reply.last = false;
    } else {
        exchange.reply.has_body = false;
    }
    exchange.send();
    return {};
}

}  // namespace lepton::protocol
