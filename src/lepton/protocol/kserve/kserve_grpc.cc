#include "lepton/protocol/kserve/kserve_grpc.h"

#include <string_view>

#include <inference.pb.h>

#include "lepton/protocol/kserve/grpc_metadata.h"
#include "lepton/protocol/protobuf/grpc_message.h"

namespace lepton::protocol {
namespace {

constexpr std::string_view kService = "inference.GRPCInferenceService";

}  // namespace

constexpr std::array<GrpcRoute<KserveGrpc>, 7> KserveGrpc::kRoutes = {{
    {kService, "ModelInfer", GrpcTakes::kMessage, &KserveGrpc::infer, Access::kData},
    {kService, "ServerLive", GrpcTakes::kName, &KserveGrpc::server_live, Access::kData},
    {kService, "ServerReady", GrpcTakes::kName, &KserveGrpc::server_ready, Access::kData},
    {kService, "ServerMetadata", GrpcTakes::kName, &KserveGrpc::server_metadata, Access::kData},
    {kService, "ModelReady", GrpcTakes::kName, &KserveGrpc::model_ready, Access::kData},
    {kService, "ModelMetadata", GrpcTakes::kName, &KserveGrpc::model_metadata, Access::kData},
    {kService, "ModelConfig", GrpcTakes::kName, &KserveGrpc::model_config, Access::kData},
}};

KserveGrpc::KserveGrpc(InferService& service,
                       const ModelCatalog& catalog,
                       memory::BufferPool& pool,
                       const Router::Options& options)
    : catalog_(catalog), pool_(pool), options_(options), infer_(service, catalog, pool, options) {}

Result<> KserveGrpc::infer(net::Exchange& exchange) {
    infer_.handle(exchange);
    return {};
}

Result<> KserveGrpc::server_live(net::Exchange& exchange) {
    inference::ServerLiveResponse response;
    response.set_live(true);
    return send_grpc(response, pool_, exchange);
}

Result<> KserveGrpc::server_ready(net::Exchange& exchange) {
    inference::ServerReadyResponse response;
    response.set_ready(catalog_.ready().has_value());
    return send_grpc(response, pool_, exchange);
}

Result<> KserveGrpc::server_metadata(net::Exchange& exchange) {
    inference::ServerMetadataResponse response;
    fill_server_metadata(options_.server_name, options_.server_version, response);
    return send_grpc(response, pool_, exchange);
}

Result<> KserveGrpc::model_ready(net::Exchange& exchange) {
    inference::ModelReadyRequest request;
    LEPTON_CHECK_OK(parse_grpc(exchange.message, request));
    inference::ModelReadyResponse response;
    response.set_ready(catalog_.find(request.name(), request.version()).has_value());
    return send_grpc(response, pool_, exchange);
}

Result<> KserveGrpc::model_metadata(net::Exchange& exchange) {
    inference::ModelMetadataRequest request;
    LEPTON_CHECK_OK(parse_grpc(exchange.message, request));
    LEPTON_TRY(const auto model, catalog_.find(request.name(), request.version()));
    inference::ModelMetadataResponse response;
    fill_model_metadata(*model, catalog_.versions(request.name()), response);
    return send_grpc(response, pool_, exchange);
}

Result<> KserveGrpc::model_config(net::Exchange& exchange) {
    if (options_.control == nullptr) {
        return unknown_method(exchange.message.path);
    }
    inference::ModelConfigRequest request;
    LEPTON_CHECK_OK(parse_grpc(exchange.message, request));
    LEPTON_TRY(const ModelConfiguration now,
               options_.control->configuration(request.name(), request.version()));
    inference::ModelConfigResponse response;
    fill_model_config(now, *response.mutable_config());
    return send_grpc(response, pool_, exchange);
}

}  // namespace lepton::protocol
