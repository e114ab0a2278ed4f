#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>
#include <health.pb.h>
#include <inference.pb.h>
#include <reflection.pb.h>

#include "lepton/protocol/router.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using namespace std::chrono_literals;
using grpc::health::v1::HealthCheckResponse;
using testing::HasSubstr;

constexpr int kOk = 0;
constexpr int kInvalidArgument = 3;
constexpr int kNotFound = 5;
constexpr int kUnimplemented = 12;

class GrpcRoutesTest : public testing::Test {
protected:
    GrpcRoutesTest() { make_router({}); }

    void make_router(Settings settings) {
        router_ = std::make_unique<Router>(Services{.inference = service_,
                                                    .catalog = catalog_,
                                                    .buffers = pool_,
                                                    .observations = &observations_},
                                           std::move(settings));
    }
    // Hands over one message of a call, and returns what was sent last.
    const FakeExchange::Sent& handle(std::string_view path, const std::string& body) {
        exchange_.message.grpc = true;
        exchange_.message.path = path;
        exchange_.set_body(body);
        router_->handle(exchange_);
        return exchange_.sent.at(exchange_.sent.size() - 1);
    }
    const FakeExchange::Sent& call(const std::string& method,
                                   const google::protobuf::Message& message) {
        return handle("/inference.GRPCInferenceService/" + method, message.SerializeAsString());
    }
    template <class Message>
    Message parsed() {
        Message message;
        EXPECT_TRUE(message.ParseFromString(exchange_.sent.back().body));
        return message;
    }
    static inference::ModelInferRequest infer_request() {
        inference::ModelInferRequest message;
        message.set_model_name("digits");
        message.set_id("7");
        auto* input = message.add_inputs();
        input->set_name("image");
        input->set_datatype("FP32");
        input->add_shape(1);
        input->add_shape(2);
        message.add_raw_input_contents(raw<float>({1, 2}));
        return message;
    }

    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeService service_{catalog_.model};
    FakeObservations observations_;
    std::unique_ptr<Router> router_;
    FakeExchange exchange_{pool_};
};

TEST_F(GrpcRoutesTest, LiveAndReadyAreAnswered) {
    EXPECT_EQ(call("ServerLive", inference::ServerLiveRequest()).grpc_status, kOk);
    EXPECT_TRUE(parsed<inference::ServerLiveResponse>().live());
    call("ServerReady", inference::ServerReadyRequest());
    EXPECT_TRUE(parsed<inference::ServerReadyResponse>().ready());
    catalog_.is_ready = false;
    call("ServerReady", inference::ServerReadyRequest());
    EXPECT_FALSE(parsed<inference::ServerReadyResponse>().ready());
    EXPECT_TRUE(exchange_.sent.back().last);
}

TEST_F(GrpcRoutesTest, AnUnknownModelIsNotReady) {
    inference::ModelReadyRequest request;
    request.set_name("digits");
    call("ModelReady", request);
    EXPECT_TRUE(parsed<inference::ModelReadyResponse>().ready());
    request.set_name("other");
    EXPECT_EQ(call("ModelReady", request).grpc_status, kOk);
    EXPECT_FALSE(parsed<inference::ModelReadyResponse>().ready());
}

TEST_F(GrpcRoutesTest, MetadataIsTheSignature) {
    call("ServerMetadata", inference::ServerMetadataRequest());
    EXPECT_EQ(parsed<inference::ServerMetadataResponse>().name(), "lepton");
    inference::ModelMetadataRequest request;
    request.set_name("digits");
    call("ModelMetadata", request);
    auto metadata = parsed<inference::ModelMetadataResponse>();
    EXPECT_EQ(metadata.platform(), "openvino_onnx");
    EXPECT_EQ(metadata.versions(0), "3");
    EXPECT_EQ(metadata.inputs(0).name(), "image");
    EXPECT_EQ(metadata.inputs(0).datatype(), "FP32");
    EXPECT_EQ(metadata.inputs(0).shape(0), -1);
    EXPECT_EQ(metadata.outputs(0).name(), "scores");
    EXPECT_EQ((*metadata.mutable_parameters())["precision"].string_param(), "f32");
    request.set_name("other");
    EXPECT_EQ(call("ModelMetadata", request).grpc_status, kNotFound);
    EXPECT_FALSE(exchange_.sent.back().has_body);
}

TEST_F(GrpcRoutesTest, AnInferenceIsAnsweredWithItsTimes) {
    const std::string scores = raw<float>({0.5, 0.25});
    service_.outputs = {{"scores", {DataType::kFp32, {1, 2}, bytes_of(scores)}}};
    exchange_.message.fields.add("grpc-timeout", "15m");
    const auto& sent = call("ModelInfer", infer_request());
    EXPECT_EQ(sent.grpc_status, kOk) << sent.grpc_message;
    EXPECT_TRUE(sent.last);
    EXPECT_THAT(sent.fields.at("server-timing"), HasSubstr("compute;dur="));
    const auto response = parsed<inference::ModelInferResponse>();
    EXPECT_EQ(response.id(), "7");
    EXPECT_EQ(response.model_name(), "digits");
    EXPECT_EQ(response.raw_output_contents(0), scores);
    EXPECT_EQ(service_.last->request.deadline, exchange_.message.received + 15ms);
}

TEST_F(GrpcRoutesTest, EveryErrorHasTheStatusOfTheTable) {
    for (const ErrorTraits& traits : all_error_traits()) {
        service_.error = Error{traits.code, "why not"};
        EXPECT_EQ(call("ModelInfer", infer_request()).grpc_status, traits.grpc_status);
        EXPECT_EQ(exchange_.sent.back().grpc_message, "why not");
        EXPECT_FALSE(exchange_.sent.back().has_body);
        EXPECT_TRUE(exchange_.sent.back().last);
        exchange_.reset();
    }
}

TEST_F(GrpcRoutesTest, TritonsErrorsAreSaidInItsWords) {
    make_router({.triton_errors = true});
    service_.error = Error{ErrorCode::kQueueFull, "ours"};
    EXPECT_EQ(call("ModelInfer", infer_request()).grpc_status, 14);
    EXPECT_EQ(exchange_.sent.back().grpc_message, "Exceeds maximum queue size");
    service_.error = Error{ErrorCode::kDeadlineExceeded, "ours"};
    exchange_.reset();
    EXPECT_EQ(call("ModelInfer", infer_request()).grpc_status, 14);
    EXPECT_EQ(exchange_.sent.back().grpc_message, "Request timeout expired");
}

TEST_F(GrpcRoutesTest, UnknownMethodsAreNamed) {
    for (const std::string_view path :
         {"/inference.GRPCInferenceService/ModelConfig", "/x.Y/Z", "/", ""}) {
        EXPECT_EQ(handle(path, "").grpc_status, kUnimplemented);
        EXPECT_THAT(exchange_.sent.back().grpc_message, HasSubstr(path));
    }
}

TEST_F(GrpcRoutesTest, MalformedMessagesAreRefused) {
    for (const char* method : {"ModelReady", "ModelMetadata", "ModelInfer"}) {
        EXPECT_EQ(
            handle(std::string("/inference.GRPCInferenceService/") + method, "\xff").grpc_status,
            kInvalidArgument);
    }
    EXPECT_EQ(handle("/grpc.health.v1.Health/Check", "\xff").grpc_status, kInvalidArgument);
}

TEST_F(GrpcRoutesTest, ACallWithoutAMessageIsRefused) {
    exchange_.message.has_body = false;
    EXPECT_EQ(call("ModelInfer", infer_request()).grpc_status, kInvalidArgument);
    EXPECT_EQ(service_.calls, 0);
}

TEST_F(GrpcRoutesTest, HealthKnowsTheServerAndItsService) {
    grpc::health::v1::HealthCheckRequest request;
    for (const char* service : {"", "inference.GRPCInferenceService"}) {
        request.set_service(service);
        catalog_.is_ready = true;
        handle("/grpc.health.v1.Health/Check", request.SerializeAsString());
        EXPECT_EQ(parsed<HealthCheckResponse>().status(), HealthCheckResponse::SERVING);
        catalog_.is_ready = false;
        handle("/grpc.health.v1.Health/Check", request.SerializeAsString());
        EXPECT_EQ(parsed<HealthCheckResponse>().status(), HealthCheckResponse::NOT_SERVING);
    }
    request.set_service("other");
    EXPECT_EQ(handle("/grpc.health.v1.Health/Check", request.SerializeAsString()).grpc_status,
              kNotFound);
}

TEST_F(GrpcRoutesTest, AWatchTellsEachChangeUntilTheClientGoes) {
    const auto status = [this] { return parsed<HealthCheckResponse>().status(); };
    catalog_.is_ready = false;
    EXPECT_FALSE(handle("/grpc.health.v1.Health/Watch", "").last);
    EXPECT_EQ(status(), HealthCheckResponse::NOT_SERVING);

    exchange_.message.has_body = false;  // The client closes its side.
    router_->handle(exchange_);
    exchange_.fake_loop.run_timers();
    EXPECT_EQ(exchange_.sent.size(), 1U);

    catalog_.is_ready = true;
    exchange_.fake_loop.run_timers();
    ASSERT_EQ(exchange_.sent.size(), 2U);
    EXPECT_EQ(status(), HealthCheckResponse::SERVING);
    EXPECT_FALSE(exchange_.sent.back().last);

    ASSERT_TRUE(exchange_.held);
    exchange_.gone();
    EXPECT_TRUE(exchange_.sent.back().last);
    catalog_.is_ready = false;
    exchange_.fake_loop.run_timers();
    EXPECT_EQ(exchange_.sent.size(), 3U);
    EXPECT_TRUE(exchange_.fake_loop.timers.empty());
}

TEST_F(GrpcRoutesTest, HealthKnowsEachModel) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service("digits");
    catalog_.is_ready = false;  // Another model is loading.
    handle("/grpc.health.v1.Health/Check", request.SerializeAsString());
    EXPECT_EQ(parsed<HealthCheckResponse>().status(), HealthCheckResponse::SERVING);
    catalog_.loading = true;
    handle("/grpc.health.v1.Health/Check", request.SerializeAsString());
    EXPECT_EQ(parsed<HealthCheckResponse>().status(), HealthCheckResponse::NOT_SERVING);
    request.set_service(std::string(2000, 'x'));
    EXPECT_EQ(handle("/grpc.health.v1.Health/Check", request.SerializeAsString()).grpc_status,
              kInvalidArgument);
}

TEST_F(GrpcRoutesTest, AWatchFollowsItsModel) {
    const auto status = [this] { return parsed<HealthCheckResponse>().status(); };
    const std::string name = std::exchange(catalog_.model->name, "another");
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(name);
    handle("/grpc.health.v1.Health/Watch", request.SerializeAsString());
    EXPECT_EQ(status(), HealthCheckResponse::SERVICE_UNKNOWN);
    catalog_.model->name = name;
    catalog_.loading = true;
    exchange_.fake_loop.run_timers();
    EXPECT_EQ(status(), HealthCheckResponse::NOT_SERVING);
    catalog_.loading = false;
    exchange_.fake_loop.run_timers();
    EXPECT_EQ(status(), HealthCheckResponse::SERVING);
    exchange_.fake_loop.run_timers();
    EXPECT_EQ(exchange_.sent.size(), 3U);
    exchange_.gone();
}

TEST_F(GrpcRoutesTest, AnUnknownModelIsSaidBeforeAnythingOfItsInputs) {
    inference::ModelInferRequest message = infer_request();
    message.mutable_inputs(0)->set_datatype("FP99");
    EXPECT_EQ(call("ModelInfer", message).grpc_status, kInvalidArgument);
    ASSERT_EQ(observations_.undecoded.size(), 1U);
    EXPECT_EQ(observations_.undecoded[0].second, ErrorCode::kInvalidArgument);
    exchange_.reset();
    message.set_model_name("other");
    EXPECT_EQ(call("ModelInfer", message).grpc_status, kNotFound);
    exchange_.reset();
    EXPECT_EQ(handle("/inference.GRPCInferenceService/ModelInfer", "\xff").grpc_status,
              kInvalidArgument);
    EXPECT_EQ(observations_.undecoded.size(), 1U);
}

TEST_F(GrpcRoutesTest, AWatchOfAnUnknownServiceStaysOpen) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service("other");
    EXPECT_FALSE(handle("/grpc.health.v1.Health/Watch", request.SerializeAsString()).last);
    EXPECT_EQ(parsed<HealthCheckResponse>().status(), HealthCheckResponse::SERVICE_UNKNOWN);
    exchange_.fake_loop.run_timers();
    EXPECT_EQ(exchange_.sent.size(), 1U);
    exchange_.gone();
}

TEST_F(GrpcRoutesTest, WatchesOfOneNameEndOneByOne) {
    std::vector<std::unique_ptr<FakeExchange>> calls;
    const auto tick = [&calls] {
        for (const auto& call : calls) call->fake_loop.run_timers();
    };
    for (int i = 0; i < 3; ++i) {
        FakeExchange& call = *calls.emplace_back(std::make_unique<FakeExchange>(pool_));
        call.message.grpc = true;
        call.message.path = "/grpc.health.v1.Health/Watch";
        router_->handle(call);
    }
    calls[1]->gone();
    EXPECT_TRUE(calls[1]->sent.back().last);
    catalog_.is_ready = false;
    tick();
    EXPECT_EQ(calls[0]->sent.size(), 2U);
    EXPECT_EQ(calls[1]->sent.size(), 2U) << "the last one";
    EXPECT_EQ(calls[2]->sent.size(), 2U);
    calls[0]->gone();
    catalog_.is_ready = true;
    tick();
    EXPECT_EQ(calls[2]->sent.size(), 3U);
    calls[2]->gone();
    tick();
    EXPECT_TRUE(calls[0]->fake_loop.timers.empty());
}

TEST_F(GrpcRoutesTest, WatchesOfManyNamesAreLookedAtInTurns) {
    std::vector<std::unique_ptr<FakeExchange>> calls;
    for (int i = 0; i < 1200; ++i) {
        FakeExchange& call = *calls.emplace_back(std::make_unique<FakeExchange>(pool_));
        grpc::health::v1::HealthCheckRequest request;
        request.set_service(i == 600 ? catalog_.model->name : std::to_string(i));
        call.message.grpc = true;
        call.message.path = "/grpc.health.v1.Health/Watch";
        call.set_body(request.SerializeAsString());
        router_->handle(call);
    }
    catalog_.loading = true;
    for (int i = 0; i < 3; ++i) calls[0]->fake_loop.run_timers();
    EXPECT_EQ(calls[600]->sent.size(), 2U);
    EXPECT_EQ(calls[0]->sent.size(), 1U);
    for (const auto& call : calls) call->gone();
}

class GrpcReflectionTest : public GrpcRoutesTest {
protected:
    grpc::reflection::v1::ServerReflectionResponse ask(
        const grpc::reflection::v1::ServerReflectionRequest& request,
        const std::string& version = "v1") {
        handle("/grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo",
               request.SerializeAsString());
        EXPECT_FALSE(exchange_.sent.back().last);
        return parsed<grpc::reflection::v1::ServerReflectionResponse>();
    }
    grpc::reflection::v1::ServerReflectionRequest request_;
};

TEST_F(GrpcReflectionTest, ListsWhatIsServedUnderBothNames) {
    request_.set_list_services("*");
    for (const char* version : {"v1", "v1alpha"}) {
        std::set<std::string> names;
        const auto response = ask(request_, version);
        for (const auto& service : response.list_services_response().service()) {
            names.insert(service.name());
        }
        EXPECT_EQ(names,
                  (std::set<std::string>{"inference.GRPCInferenceService",
                                         "grpc.health.v1.Health",
                                         "grpc.reflection.v1.ServerReflection",
                                         "grpc.reflection.v1alpha.ServerReflection"}));
    }
}

TEST_F(GrpcReflectionTest, FindsTheFileOfEachServiceItLists) {
    for (const char* name : {"inference.GRPCInferenceService",
                             "inference.ModelInferRequest",
                             "grpc.health.v1.Health",
                             "inference.GRPCInferenceService.ModelInfer",
                             "grpc.reflection.v1.ServerReflection",
                             "grpc.reflection.v1alpha.ServerReflection"}) {
        request_.set_file_containing_symbol(name);
        const auto response = ask(request_);
        ASSERT_EQ(response.file_descriptor_response().file_descriptor_proto_size(), 1) << name;
        google::protobuf::FileDescriptorProto file;
        ASSERT_TRUE(
            file.ParseFromString(response.file_descriptor_response().file_descriptor_proto(0)));
        EXPECT_GT(file.service_size(), 0);
        EXPECT_EQ(response.original_request().file_containing_symbol(), name);
    }
}

TEST_F(GrpcReflectionTest, WhatIsNotThereIsAnErrorInTheAnswerAndTheCallGoesOn) {
    request_.set_file_containing_symbol("no.Such");
    EXPECT_EQ(ask(request_).error_response().error_code(), kNotFound);
    request_.set_file_by_filename("no.proto");
    EXPECT_EQ(ask(request_).error_response().error_code(), kNotFound);
    request_.mutable_file_containing_extension()->set_containing_type(
        "inference.ModelInferRequest");
    EXPECT_EQ(ask(request_).error_response().error_code(), kNotFound);
    request_.Clear();
    EXPECT_EQ(ask(request_).error_response().error_code(), kUnimplemented);
    request_.set_file_by_filename("inference.proto");
    EXPECT_EQ(ask(request_).file_descriptor_response().file_descriptor_proto_size(), 1);
}

TEST_F(GrpcReflectionTest, TheClientsEndEndsTheCall) {
    request_.set_list_services("");
    ask(request_);
    exchange_.message.has_body = false;
    router_->handle(exchange_);
    EXPECT_TRUE(exchange_.sent.back().last);
    EXPECT_FALSE(exchange_.sent.back().has_body);
    EXPECT_EQ(exchange_.sent.back().grpc_status, kOk);
}

}  // namespace
}  // namespace lepton::protocol
