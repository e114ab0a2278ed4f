// Proves the hand-written decoder equal to the generated classes.

#include "lepton/protocol/kserve/grpc_infer_decode.h"

#include <random>
#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>
#include <inference.pb.h>

#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using namespace std::chrono_literals;
using inference::ModelInferRequest;
using testing::HasSubstr;

class GrpcInferDecodeTest : public testing::Test {
protected:
    Result<> decode_bytes(std::string_view bytes) {
        exchange_.reset();
        request_ = {};
        exchange_.set_body(bytes);
        return decode_grpc_infer(exchange_, request_, pool_);
    }
    Result<> decode(const ModelInferRequest& message) {
        return decode_bytes(message.SerializeAsString());
    }
    const Request& request() { return request_; }
    const TensorView& tensor(std::size_t i = 0) { return request().inputs.at(i).tensor; }

    static ModelInferRequest::InferInputTensor* add_input(
        ModelInferRequest& message,
        const std::string& name,
        const std::string& dtype,
        std::initializer_list<std::int64_t> shape) {
        auto* input = message.add_inputs();
        input->set_name(name);
        input->set_datatype(dtype);
        input->mutable_shape()->Add(shape.begin(), shape.end());
        return input;
    }

    memory::BufferPool pool_;
    FakeExchange exchange_{pool_};
    Request request_;
};

TEST_F(GrpcInferDecodeTest, EveryFieldIsReadAsTheGeneratedClassesWroteIt) {
    ModelInferRequest message;
    message.set_model_name("digits");
    message.set_model_version("2");
    message.set_id("id-1");
    (*message.mutable_parameters())["b"].set_bool_param(true);
    (*message.mutable_parameters())["i"].set_int64_param(-5);
    (*message.mutable_parameters())["s"].set_string_param("w");
    (*message.mutable_parameters())["d"].set_double_param(0.5);
    (*message.mutable_parameters())["u"].set_uint64_param(~0ULL);
    (*message.mutable_parameters())["timeout"].set_int64_param(1500);
    (*message.mutable_parameters())["priority"].set_uint64_param(2);
    message.mutable_parameters()->insert({"none", {}});
    add_input(message, "a", "FP32", {1, 2});
    add_input(message, "b", "BYTES", {2});
    message.add_outputs()->set_name("y");
    (*message.add_outputs()->mutable_parameters())["p"].set_bool_param(true);
    message.mutable_outputs(1)->set_name("z");
    message.add_raw_input_contents(raw<float>({1, 2}));
    message.add_raw_input_contents(raw_strings({"x", "yz"}));

    const auto result = decode(message);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(request().model_name, "digits");
    EXPECT_EQ(request().model_version, "2");
    EXPECT_EQ(request().id, "id-1");
    EXPECT_EQ(request().deadline, exchange_.message.received + 1500us);
    EXPECT_EQ(request().priority, 2U);
    std::map<std::string_view, decltype(Parameter::value)> parameters;
    for (const Parameter& parameter : request().parameters) {
        parameters[parameter.name] = parameter.value;
    }
    ASSERT_EQ(parameters.size(), 5U);
    EXPECT_EQ(std::get<bool>(parameters["b"]), true);
    EXPECT_EQ(std::get<std::int64_t>(parameters["i"]), -5);
    EXPECT_EQ(std::get<std::string_view>(parameters["s"]), "w");
    EXPECT_EQ(std::get<double>(parameters["d"]), 0.5);
    EXPECT_EQ(std::get<std::uint64_t>(parameters["u"]), ~0ULL);
    ASSERT_EQ(request().inputs.size(), 2U);
    EXPECT_EQ(request().inputs[0].name, "a");
    EXPECT_EQ(tensor(0).shape, (Shape{1, 2}));
    EXPECT_EQ(elements<float>(tensor(0)), (std::vector<float>{1, 2}));
    EXPECT_EQ(tensor(1).dtype, DataType::kBytes);
    EXPECT_EQ(text_of(tensor(1)), raw_strings({"x", "yz"}));
    ASSERT_EQ(request().outputs.size(), 2U);
    EXPECT_EQ(request().outputs[1].name, "z");
    // Views of the message, not copies.
    const auto body = exchange_.message.body.bytes();
    EXPECT_GE(tensor(0).data.data(), body.data());
    EXPECT_LT(tensor(0).data.data(), body.data() + body.size());
}

TEST_F(GrpcInferDecodeTest, EveryDatatypeIsReadFromRawContents) {
    for (int i = 0; i < kDataTypeCount; ++i) {
        const auto dtype = static_cast<DataType>(i);
        const std::string data = dtype == DataType::kBytes
                                     ? raw_strings({"a", "", "bcd"})
                                     : std::string(3 * element_bytes(dtype), '\x5a');
        ModelInferRequest message;
        add_input(message, "x", std::string(to_string(dtype)), {3});
        message.add_raw_input_contents(data);
        const auto result = decode(message);
        ASSERT_TRUE(result) << to_string(dtype) << ": " << result.error().message;
        EXPECT_EQ(tensor().dtype, dtype);
        EXPECT_EQ(text_of(tensor()), data);
    }
}

TEST_F(GrpcInferDecodeTest, TypedContentsBecomeTheSameBytesAsRawOnes) {
    ModelInferRequest message;
    const auto contents = [&](const std::string& dtype) {
        return add_input(message, dtype, dtype, {2})->mutable_contents();
    };
    const auto fill = [](auto* field, auto a, auto b) {
        field->Add(a);
        field->Add(b);
    };
    fill(contents("BOOL")->mutable_bool_contents(), true, false);
    fill(contents("INT8")->mutable_int_contents(), -128, 127);
    fill(contents("INT16")->mutable_int_contents(), -32768, 32767);
    fill(contents("INT32")->mutable_int_contents(), INT32_MIN, INT32_MAX);
    fill(contents("INT64")->mutable_int64_contents(), INT64_MIN, INT64_MAX);
    fill(contents("UINT8")->mutable_uint_contents(), 0U, 255U);
    fill(contents("UINT16")->mutable_uint_contents(), 0U, 65535U);
    fill(contents("UINT32")->mutable_uint_contents(), 0U, UINT32_MAX);
    fill(contents("UINT64")->mutable_uint64_contents(), std::uint64_t{0}, UINT64_MAX);
    fill(contents("FP32")->mutable_fp32_contents(), -1.5F, 3e38F);
    fill(contents("FP64")->mutable_fp64_contents(), -1.5, 1e308);
    auto* strings = contents("BYTES");
    strings->add_bytes_contents("a\xff");
    strings->add_bytes_contents("");

    const auto result = decode(message);
    ASSERT_TRUE(result) << result.error().message;
    const std::string expected[] = {std::string("\1\0", 2),
                                    raw<std::int8_t>({-128, 127}),
                                    raw<std::int16_t>({-32768, 32767}),
                                    raw<std::int32_t>({INT32_MIN, INT32_MAX}),
                                    raw<std::int64_t>({INT64_MIN, INT64_MAX}),
                                    raw<std::uint8_t>({0, 255}),
                                    raw<std::uint16_t>({0, 65535}),
                                    raw<std::uint32_t>({0, UINT32_MAX}),
                                    raw<std::uint64_t>({0, UINT64_MAX}),
                                    raw<float>({-1.5F, 3e38F}),
                                    raw<double>({-1.5, 1e308}),
                                    raw_strings({"a\xff", ""})};
    for (std::size_t i = 0; i < std::size(expected); ++i) {
        EXPECT_EQ(text_of(tensor(i)), expected[i]) << request().inputs[i].name;
    }
}

// Protobuf allows fields in any order, repeated ones unpacked and sub-messages in pieces.
TEST_F(GrpcInferDecodeTest, UnusualEncodingsAreReadAsTheGeneratedClassesDo) {
    const std::string contents_1 = "\x10\x05";          // int_contents: 5, unpacked
    const std::string contents_2 = "\x12\x02\x06\x07";  // int_contents: [6, 7], packed
    const std::string input = "\x2a\x02" + contents_1 + "\x18\x01" + "\x1a\x01\x03" + "\x2a\x04" +
                              contents_2 + "\x12\x05INT32" + "\x0a\x03old" + "\x0a\x01x";
    const std::string bytes = "\x1a\x01i" +
                              ("\x2a" + std::string(1, static_cast<char>(input.size()))) + input +
                              "\x0a\x01m";
    ModelInferRequest message;
    ASSERT_TRUE(message.ParseFromString(bytes));
    ASSERT_EQ(message.inputs(0).name(), "x");
    ASSERT_EQ(message.inputs(0).shape_size(), 2);
    ASSERT_EQ(message.inputs(0).contents().int_contents_size(), 3);

    const auto result = decode_bytes(bytes);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(request().model_name, "m");
    EXPECT_EQ(request().id, "i");
    EXPECT_EQ(request().inputs[0].name, "x");
    EXPECT_EQ(tensor().shape, (Shape{1, 3}));
    EXPECT_EQ(elements<std::int32_t>(tensor()), (std::vector<std::int32_t>{5, 6, 7}));
}

TEST_F(GrpcInferDecodeTest, UnknownFieldsOfEveryKindAreSkipped) {
    ModelInferRequest message;
    add_input(message, "x", "INT8", {1})->mutable_contents()->add_int_contents(4);
    const std::string unknown = std::string("\xa0\x06\x01", 3) +  // 100: varint
                                std::string(
                                    "\xa1\x06"
                                    "12345678",
                                    10) +                                         // 100: fixed64
                                std::string("\xa2\x06\x02hi", 5) +                // 100: bytes
                                std::string("\xa3\x06\xa0\x06\x01\xa4\x06", 7) +  // 100: group
                                std::string(
                                    "\xa5\x06"
                                    "1234",
                                    6);  // 100: fixed32
    const auto result = decode_bytes(unknown + message.SerializeAsString() + unknown);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(elements<std::int8_t>(tensor()), std::vector<std::int8_t>{4});
}

TEST_F(GrpcInferDecodeTest, TagsAndLengthsOfMoreThanFiveBytesAreMalformed) {
    ModelInferRequest message;
    add_input(message, "x", "INT8", {1})->mutable_contents()->add_int_contents(4);
    const std::string whole = message.SerializeAsString();
    ASSERT_TRUE(decode_bytes(whole + std::string("\x8a\x80\x80\x80\x00\x01m", 7)));
    EXPECT_EQ(request().model_name, "m");
    EXPECT_FALSE(decode_bytes(whole + std::string("\x8a\x80\x80\x80\x80\x00\x01m", 8)));
    ASSERT_TRUE(decode_bytes(whole + std::string("\x0a\x81\x80\x80\x80\x00m", 7)));
    EXPECT_FALSE(decode_bytes(whole + std::string("\x0a\x81\x80\x80\x80\x80\x00m", 8)));
}

ModelInferRequest rich_request() {
    ModelInferRequest message;
    message.set_model_name("digits");
    message.set_id("id");
    (*message.mutable_parameters())["p"].set_string_param("v");
    auto* input = message.add_inputs();
    input->set_name("x");
    input->set_datatype("FP64");
    input->add_shape(2);
    input->mutable_contents()->add_fp64_contents(1);
    input->mutable_contents()->add_fp64_contents(2);
    message.add_outputs()->set_name("y");
    return message;
}

TEST_F(GrpcInferDecodeTest, NoPrefixIsReadFurtherThanTheGeneratedClassesRead) {
    const std::string whole = rich_request().SerializeAsString();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::string prefix = whole.substr(0, size);
        const auto result = decode_bytes(prefix);
        ModelInferRequest message;
        if (!message.ParseFromString(prefix)) {
            ASSERT_FALSE(result) << size;
            EXPECT_THAT(result.error().message, HasSubstr("malformed protobuf")) << size;
        }
    }
}

// Both must agree on which byte strings are messages, and on what these say.
TEST_F(GrpcInferDecodeTest, DamagedMessagesAreJudgedAsTheGeneratedClassesJudgeThem) {
    const google::protobuf::LogSilencer silence;
    const std::string whole = rich_request().SerializeAsString();
    std::minstd_rand random(7);
    int accepted = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = whole;
        for (int i = 0; i < 2; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
        ModelInferRequest message;
        const bool parses = message.ParseFromString(bytes);
        const auto result = decode_bytes(bytes);
        if (!parses) {
            // An earlier refusal, say of a datatype, may come first; what matters is that it is
            // one.
            EXPECT_FALSE(result) << round;
        } else if (result) {
            ++accepted;
            EXPECT_EQ(request().model_name, message.model_name());
            EXPECT_EQ(request().id, message.id());
            ASSERT_EQ(request().inputs.size(), static_cast<std::size_t>(message.inputs_size()));
            EXPECT_EQ(request().inputs[0].name, message.inputs(0).name());
            EXPECT_EQ(request().outputs.size(), static_cast<std::size_t>(message.outputs_size()));
        } else {
            EXPECT_EQ(result.error().message.find("malformed"), std::string::npos)
                << round << ": " << result.error().message;
        }
    }
    EXPECT_GT(accepted, 1000);
}

struct Wrong {
    const char* what;
    void (*change)(ModelInferRequest&);
    const char* message;
    ErrorCode code = ErrorCode::kInvalidArgument;
};

std::ostream& operator<<(std::ostream& out, const Wrong& wrong) { return out << wrong.what; }

class GrpcInferMalformed : public GrpcInferDecodeTest, public testing::WithParamInterface<Wrong> {};

TEST_P(GrpcInferMalformed, IsRefusedWithItsReason) {
    ModelInferRequest message = rich_request();
    GetParam().change(message);
    const auto result = decode(message);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, GetParam().code);
    EXPECT_THAT(result.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All,
    GrpcInferMalformed,
    testing::Values(
        Wrong{"NoInputs", [](auto& m) { m.clear_inputs(); }, "no inputs"},
        Wrong{"NoName", [](auto& m) { m.mutable_inputs(0)->clear_name(); }, "no name"},
        Wrong{"NoDatatype",
              [](auto& m) { m.mutable_inputs(0)->clear_datatype(); },
              "input \"x\" has no datatype"},
        Wrong{"BadDatatype",
              [](auto& m) { m.mutable_inputs(0)->set_datatype("FLOAT"); },
              "datatype \"FLOAT\""},
        Wrong{"NegativeExtent",
              [](auto& m) { m.mutable_inputs(0)->set_shape(0, -1); },
              "has shape [-1]"},
        Wrong{
            "Overflow", [](auto& m) { m.mutable_inputs(0)->set_shape(0, INT64_MAX); }, "overflows"},
        Wrong{"TooManyExtents",
              [](auto& m) {
                  for (int i = 0; i < 16; ++i) m.mutable_inputs(0)->add_shape(1);
              },
              "more than 16 extents"},
        Wrong{"TooFewElements",
              [](auto& m) { m.mutable_inputs(0)->set_shape(0, 3); },
              "input \"x\" has 16 bytes, FP64 of shape [3] asks for 24"},
        Wrong{"ForeignField",
              [](auto& m) { m.mutable_inputs(0)->mutable_contents()->add_int_contents(1); },
              "input \"x\" of FP64 carries int_contents; its field is fp64_contents"},
        Wrong{"OutOfRange",
              [](auto& m) {
                  auto* input = m.mutable_inputs(0);
                  input->set_datatype("INT8");
                  input->clear_contents();
                  input->mutable_contents()->add_int_contents(128);
              },
              "input \"x\" holds 128; its datatype takes -128 to 127"},
        Wrong{"Fp16InContents",
              [](auto& m) { m.mutable_inputs(0)->set_datatype("FP16"); },
              "send it in raw_input_contents"},
        Wrong{"RawAndContents",
              [](auto& m) { m.add_raw_input_contents("1234"); },
              "has contents, and the request has raw_input_contents"},
        Wrong{"RawCount",
              [](auto& m) {
                  m.add_raw_input_contents("1");
                  m.add_raw_input_contents("2");
              },
              "1 inputs and 2 raw_input_contents"},
        Wrong{"TooManyInputs",
              [](auto& m) {
                  while (m.inputs_size() < 1025) *m.add_inputs() = m.inputs(0);
              },
              "more than 1024"},
        Wrong{"TooManyRaw",
              [](auto& m) {
                  m.mutable_inputs(0)->clear_contents();
                  while (m.raw_input_contents_size() < 1025) m.add_raw_input_contents("");
              },
              "more than 1024 raw_input_contents"},
        Wrong{"TooManyOutputs",
              [](auto& m) {
                  while (m.outputs_size() < 1025) m.add_outputs()->set_name("y");
              },
              "more than 1024 outputs"},
        Wrong{"TooManyParameters",
              [](auto& m) {
                  for (int i = 0; i < 1025; ++i) {
                      (*m.mutable_parameters())[std::to_string(i)].set_bool_param(true);
                  }
              },
              "more than 1024 parameters"},
        Wrong{"RawSize",
              [](auto& m) {
                  m.mutable_inputs(0)->clear_contents();
                  m.add_raw_input_contents("123");
              },
              "input \"x\" has 3 bytes"},
        Wrong{"RawBytesPrefix",
              [](auto& m) {
                  m.mutable_inputs(0)->clear_contents();
                  m.mutable_inputs(0)->set_datatype("BYTES");
                  m.add_raw_input_contents("\xff\xff\xff\xff");
              },
              "reaches past the 4 bytes"},
        Wrong{"OutputNoName",
              [](auto& m) { m.mutable_outputs(0)->clear_name(); },
              "requested output has no name"},
        Wrong{"Classification",
              [](auto& m) {
                  (*m.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(
                      3);
              },
              "\"classification\"",
              ErrorCode::kUnsupported},
        Wrong{"SharedMemory",
              [](auto& m) {
                  (*m.mutable_inputs(0)->mutable_parameters())["shared_memory_region"]
                      .set_string_param("r");
              },
              "\"shared_memory_region\"",
              ErrorCode::kUnsupported},
        Wrong{"NegativeTimeout",
              [](auto& m) { (*m.mutable_parameters())["timeout"].set_int64_param(-1); },
              "parameter \"timeout\" is -1"},
        Wrong{"TimeoutString",
              [](auto& m) { (*m.mutable_parameters())["timeout"].set_string_param("1"); },
              "parameter \"timeout\" is \"1\""}),
    [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace lepton::protocol
