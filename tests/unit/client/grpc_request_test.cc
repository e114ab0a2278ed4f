#include "grpc_request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "inference.pb.h"

namespace lepton::client {
namespace {

std::string written(GrpcRequest& request, std::size_t step = SIZE_MAX) {
    std::string bytes;
    while (request.left() > 0) {
        const auto piece = request.take(std::min(step, request.left()));
        EXPECT_FALSE(piece.empty());
        bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    return bytes;
}

// Returns the message without the prefix, and checks the prefix's length.
std::string message_of(const std::string& bytes) {
    EXPECT_GE(bytes.size(), 5u);
    EXPECT_EQ(bytes[0], 0);
    std::size_t size = 0;
    for (int i = 1; i < 5; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
    EXPECT_EQ(size, bytes.size() - 5);
    return bytes.substr(5);
}

Operation infer(const InferRequest& request) {
    Operation operation;
    operation.request = &request;
    return operation;
}

class GrpcRequestTest : public ::testing::Test {
protected:
    GrpcRequestTest() {
        infer_.model = "mlp";
        infer_.inputs = {make_input("pixels", pixels_, {2, 3}), make_input("ids", ids_, {1, 2})};
    }
    inference::ModelInferRequest parsed(std::size_t step = SIZE_MAX) {
        const auto result = request_.write(infer(infer_));
        EXPECT_TRUE(result) << result.error().message;
        inference::ModelInferRequest message;
        EXPECT_TRUE(message.ParseFromString(message_of(written(request_, step))));
        return message;
    }

    std::vector<float> pixels_{1, 2, 3, 4, 5, 6};
    std::vector<std::int64_t> ids_{7, 300};
    InferRequest infer_;
    GrpcRequest request_;
};

TEST_F(GrpcRequestTest, ProtobufReadsWhatWasWritten) {
    infer_.version = "3";
    infer_.id = "a";
    infer_.outputs = {"x", "y"};
    infer_.priority = 2;
    infer_.parameters = {{"flag", true},
                         {"number", std::int64_t{-5}},
                         {"big", std::uint64_t{1} << 63},
                         {"real", 0.5},
                         {"text", std::string_view("words")}};
    const auto message = parsed();
    EXPECT_EQ(message.model_name(), "mlp");
    EXPECT_EQ(message.model_version(), "3");
    EXPECT_EQ(message.id(), "a");
    ASSERT_EQ(message.parameters_size(), 6);
    EXPECT_EQ(message.parameters().at("priority").uint64_param(), 2u);
    EXPECT_TRUE(message.parameters().at("flag").bool_param());
    EXPECT_EQ(message.parameters().at("number").int64_param(), -5);
    EXPECT_EQ(message.parameters().at("big").uint64_param(), std::uint64_t{1} << 63);
    EXPECT_EQ(message.parameters().at("real").double_param(), 0.5);
    EXPECT_EQ(message.parameters().at("text").string_param(), "words");
    ASSERT_EQ(message.inputs_size(), 2);
    EXPECT_EQ(message.inputs(0).name(), "pixels");
    EXPECT_EQ(message.inputs(0).datatype(), "FP32");
    EXPECT_EQ(message.inputs(0).shape(1), 3);
    EXPECT_EQ(message.inputs(1).datatype(), "INT64");
    ASSERT_EQ(message.outputs_size(), 2);
    EXPECT_EQ(message.outputs(1).name(), "y");
    ASSERT_EQ(message.raw_input_contents_size(), 2);
    EXPECT_EQ(message.raw_input_contents(0),
              std::string(reinterpret_cast<const char*>(pixels_.data()), 24));
    EXPECT_EQ(message.raw_input_contents(1),
              std::string(reinterpret_cast<const char*>(ids_.data()), 16));
}

TEST_F(GrpcRequestTest, BytesAreTheSameInWhateverStepsTheyAreTaken) {
    for (std::size_t step = 1; step < 40; ++step) {
        EXPECT_EQ(parsed(step).raw_input_contents(1).size(), 16u) << step;
    }
}

TEST_F(GrpcRequestTest, TensorsAreNotCopied) {
    ASSERT_TRUE(request_.write(infer(infer_)));
    std::vector<const std::byte*> pieces;
    while (request_.left() > 0) pieces.push_back(request_.take(request_.left()).data());
    ASSERT_EQ(pieces.size(), 4u);
    EXPECT_EQ(pieces[1], reinterpret_cast<const std::byte*>(pixels_.data()));
    EXPECT_EQ(pieces[3], reinterpret_cast<const std::byte*>(ids_.data()));
}

TEST_F(GrpcRequestTest, TensorWithoutElementsIsStillThere) {
    infer_.inputs[0] = {"pixels", DataType::kFp32, {0, 3}, {}};
    const auto message = parsed();
    ASSERT_EQ(message.raw_input_contents_size(), 2);
    EXPECT_EQ(message.raw_input_contents(0), "");
    EXPECT_EQ(message.raw_input_contents(1).size(), 16u);
}

TEST_F(GrpcRequestTest, RequestThatWasWrittenBeforeLeavesNoTrace) {
    EXPECT_EQ(parsed().inputs_size(), 2);
    infer_.inputs.pop_back();
    EXPECT_EQ(parsed().inputs_size(), 1);
    infer_.inputs[0].shape = {7};
    EXPECT_FALSE(request_.write(infer(infer_)));
    infer_.inputs[0].shape = {6};
    EXPECT_EQ(parsed().inputs_size(), 1);
}

TEST_F(GrpcRequestTest, RequestLongerThanProtobufAllowsIsRefused) {
    // A view that is never read.
    const std::span<const std::byte> data(reinterpret_cast<const std::byte*>(pixels_.data()),
                                          std::size_t{1} << 31);
    infer_.inputs = {{"x", DataType::kUint8, {std::int64_t{1} << 31}, data}};
    const auto result = request_.write(infer(infer_));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kPayloadTooLarge);
    EXPECT_EQ(request_.left(), 0u);
}

TEST_F(GrpcRequestTest, OtherMethodsNameTheModel) {
    Operation operation;
    operation.kind = Operation::Kind::kModelReady;
    operation.model = "mlp";
    operation.version = "2";
    ASSERT_TRUE(request_.write(operation));
    EXPECT_EQ(request_.path(), "/inference.GRPCInferenceService/ModelReady");
    inference::ModelReadyRequest message;
    ASSERT_TRUE(message.ParseFromString(message_of(written(request_))));
    EXPECT_EQ(message.name(), "mlp");
    EXPECT_EQ(message.version(), "2");

    operation = {};
    operation.kind = Operation::Kind::kServerLive;
    ASSERT_TRUE(request_.write(operation));
    EXPECT_EQ(message_of(written(request_)), "");
}

TEST_F(GrpcRequestTest, ListOfModelsIsNoMethodOfTheProtocol) {
    Operation operation;
    operation.kind = Operation::Kind::kListModels;
    const auto result = request_.write(operation);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace lepton::client
