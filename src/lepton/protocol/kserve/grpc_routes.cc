#include "lepton/protocol/kserve/grpc_routes.h"

#include <string>
#include <utility>

#include <google/protobuf/stubs/logging.h>
#include <inference.pb.h>

#include "lepton/protocol/grpc/grpc_reflection.h"
#include "lepton/protocol/kserve/grpc_metadata.h"
#include "lepton/protocol/protobuf/grpc_message.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

constexpr std::string_view kInferenceService = "/inference.GRPCInferenceService/";
constexpr std::string_view kInfer = "/inference.GRPCInferenceService/ModelInfer";
constexpr std::string_view kHealthCheck = "/grpc.health.v1.Health/Check";
constexpr std::string_view kHealthWatch = "/grpc.health.v1.Health/Watch";

// No method that is offered changes the server or tells of other clients' requests.
constexpr Access kNeeded = Access::kData;

bool is_reflection(std::string_view path) {
    return path == "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" ||
           path == "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
}

tl::unexpected<Error> unknown_method(std::string_view path) {
    return fail(ErrorCode::kUnsupported, concat({"there is no method ", in_quotes(path)}));
}

}  // namespace

GrpcRoutes::GrpcRoutes(InferService& service,
                       const ModelCatalog& catalog,
                       memory::BufferPool& pool,
                       Router::Options options)
    : catalog_(catalog),
      pool_(pool),
      options_(std::move(options)),
      style_(options_.triton_errors ? ErrorStyle::kTriton : ErrorStyle::kLepton),
      access_(options_.access),
      health_(catalog, pool),
      infer_(service, catalog, pool, options_) {
    // Protobuf writes a line to stderr for each string of a client that is not UTF-8; the client is
    // told, and the log is not its to fill.
    google::protobuf::SetLogHandler(nullptr);
}

void GrpcRoutes::handle(net::Exchange& exchange) noexcept {
    const Result<> done = dispatch(exchange);
    if (done) return;
    write_error(exchange, done.error(), style_, pool_);
    exchange.send();
}

// On success the reply was sent, or will be by whoever keeps the call.
Result<> GrpcRoutes::dispatch(net::Exchange& exchange) {
    LEPTON_CHECK_OK(access_.check(exchange, kNeeded));
    const std::string_view path = exchange.message.path;
    if (is_reflection(path)) return reflect(exchange);
    if (path == kHealthWatch) return health_.watch(exchange);
    if (!exchange.message.has_body) {
        return fail(ErrorCode::kInvalidArgument, "the call ended without a message");
    }
    if (path == kInfer) {
        infer_.handle(exchange);
        return {};
    }
    // All others are names and the like.
    if (exchange.message.body.size() > kDecodedOnLoop) {
        return fail(ErrorCode::kPayloadTooLarge,
                    concat({"a message of this method has at most ",
                            std::to_string(kDecodedOnLoop),
                            " bytes"}));
    }
    if (path == kHealthCheck) {
        LEPTON_CHECK_OK(health_.check(exchange));
    } else if (path.starts_with(kInferenceService)) {
        LEPTON_CHECK_OK(describe(path.substr(kInferenceService.size()), exchange));
    } else {
        return unknown_method(path);
    }
    exchange.send();
    return {};
}

Result<> GrpcRoutes::describe(std::string_view method, net::Exchange& exchange) {
    const auto reply = [&](const google::protobuf::MessageLite& message) {
        write_grpc(message, pool_, exchange.reply);
        return Result<>();
    };
    if (method == "ServerLive") {
        inference::ServerLiveResponse response;
        response.set_live(true);
        return reply(response);
    }
    if (method == "ServerReady") {
        inference::ServerReadyResponse response;
        response.set_ready(catalog_.ready().has_value());
        return reply(response);
    }
    if (method == "ModelReady") {
        inference::ModelReadyRequest request;
        LEPTON_CHECK_OK(parse_grpc(exchange.message, request));
        inference::ModelReadyResponse response;
        response.set_ready(catalog_.find(request.name(), request.version()).has_value());
        return reply(response);
    }
    if (method == "ServerMetadata") {
        inference::ServerMetadataResponse response;
        fill_server_metadata(options_.server_name, options_.server_version, response);
        return reply(response);
    }
    if (method == "ModelMetadata") {
        inference::ModelMetadataRequest request;
        LEPTON_CHECK_OK(parse_grpc(exchange.message, request));
        LEPTON_TRY(const auto model, catalog_.find(request.name(), request.version()));
        inference::ModelMetadataResponse response;
        fill_model_metadata(*model, catalog_.versions(request.name()), response);
        return reply(response);
    }
    if (method == "ModelConfig" && options_.control != nullptr) {
        inference::ModelConfigRequest request;
        LEPTON_CHECK_OK(parse_grpc(exchange.message, request));
        LEPTON_TRY(const ModelConfiguration now,
                   options_.control->configuration(request.name(), request.version()));
        inference::ModelConfigResponse response;
        fill_model_config(now, *response.mutable_config());
        return reply(response);
    }
    return unknown_method(exchange.message.path);
}

Result<> GrpcRoutes::reflect(net::Exchange& exchange) {
    exchange.reply.clear();
    if (exchange.message.has_body) {
        LEPTON_CHECK_OK(answer_reflection(exchange.message, pool_, exchange.reply));
        exchange.reply.last = false;
    } else {
        exchange.reply.has_body = false;
    }
    exchange.send();
    return {};
}

}  // namespace lepton::protocol
