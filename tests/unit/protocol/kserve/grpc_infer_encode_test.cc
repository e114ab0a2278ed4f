// Proves the hand-written encoder equal to the generated classes.

#include "lepton/protocol/kserve/grpc_infer_encode.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <inference.pb.h>

#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using inference::ModelInferResponse;

class GrpcInferEncodeTest : public testing::Test {
protected:
    GrpcInferEncodeTest() { response_.model = FakeCatalog().model; }

    std::string encoded() {
        const auto result = encode_grpc_infer(request_, response_, pool_, body_);
        EXPECT_TRUE(result);
        return std::string(body_.text());
    }

    memory::BufferPool pool_;
    Request request_;
    Response response_;
    memory::Buffer body_;
};

TEST_F(GrpcInferEncodeTest, TheBytesAreThoseOfTheGeneratedClass) {
    const std::string a = raw<float>({1, 2});
    const std::string b = raw_strings({"x", ""});
    request_.id = "id-1";
    request_.parameters = {{"p", std::int64_t{-5}}};  // One: a map's order is not defined.
    response_.outputs = {{"a", {DataType::kFp32, {1, 2}, bytes_of(a)}},
                         {"b", {DataType::kBytes, {2}, bytes_of(b)}},
                         {"c", {DataType::kInt64, {0, 300}, {}}},
                         {"", {DataType::kBool, {}, bytes_of("\1")}}};
    ModelInferResponse message;
    message.set_model_name("digits");
    message.set_model_version("3");
    message.set_id("id-1");
    (*message.mutable_parameters())["p"].set_int64_param(-5);
    for (const OutputTensor& output : response_.outputs) {
        auto* tensor = message.add_outputs();
        tensor->set_name(std::string(output.name));
        tensor->set_datatype(std::string(to_string(output.tensor.dtype)));
        tensor->mutable_shape()->Add(output.tensor.shape.begin(), output.tensor.shape.end());
        message.add_raw_output_contents(std::string(text_of(output.tensor)));
    }
    EXPECT_EQ(encoded(), message.SerializeAsString());
}

TEST_F(GrpcInferEncodeTest, EveryDatatypeAndParameterReadsBack) {
    request_.parameters = {{"b", true},
                           {"f", false},
                           {"i", std::numeric_limits<std::int64_t>::min()},
                           {"u", std::numeric_limits<std::uint64_t>::max()},
                           {"d", -0.5},
                           {"s", "word"},
                           {"", ""}};
    const std::string data(64, '\x7f');
    for (int i = 0; i < kDataTypeCount; ++i) {
        response_.outputs.push_back({to_string(static_cast<DataType>(i)),
                                     {static_cast<DataType>(i),
                                      {1LL << 40, 1},
                                      bytes_of(data).first(static_cast<std::size_t>(i))}});
    }
    ModelInferResponse message;
    ASSERT_TRUE(message.ParseFromString(encoded()));
    EXPECT_EQ(message.id(), "");
    ASSERT_EQ(message.outputs_size(), kDataTypeCount);
    for (int i = 0; i < kDataTypeCount; ++i) {
        EXPECT_EQ(message.outputs(i).datatype(), to_string(static_cast<DataType>(i)));
        EXPECT_EQ(message.outputs(i).shape(0), 1LL << 40);
        EXPECT_EQ(message.raw_output_contents(i), data.substr(0, static_cast<std::size_t>(i)));
    }
    auto& parameters = *message.mutable_parameters();
    EXPECT_EQ(parameters.size(), 7U);
    EXPECT_EQ(parameters["b"].bool_param(), true);
    EXPECT_TRUE(parameters["f"].has_bool_param());
    EXPECT_EQ(parameters["i"].int64_param(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(parameters["u"].uint64_param(), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(parameters["d"].double_param(), -0.5);
    EXPECT_EQ(parameters["s"].string_param(), "word");
    EXPECT_TRUE(parameters[""].has_string_param());
}

TEST_F(GrpcInferEncodeTest, LongPartsHaveLongLengths) {
    const std::string data(300'000, 'x');
    const std::string name(20'000, 'n');
    response_.outputs = {{name, {DataType::kUint8, {300'000}, bytes_of(data)}}};
    ModelInferResponse message;
    ASSERT_TRUE(message.ParseFromString(encoded()));
    EXPECT_EQ(message.outputs(0).name(), name);
    EXPECT_EQ(message.raw_output_contents(0), data);
}

}  // namespace
}  // namespace lepton::protocol
