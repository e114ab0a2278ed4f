#include "lepton/protocol/kserve/rest_infer_decode.h"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "lepton/protocol/text.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using namespace std::chrono_literals;

class RestInferDecodeTest : public testing::Test {
protected:
    // Decodes `json` followed by `binary`, with the header that says where one ends if there is
    // any.
    Result<> decode(std::string_view json, std::string_view binary = {}) {
        exchange_.reset();
        request_ = {};
        exchange_.set_body(std::string(json) + std::string(binary));
        if (!binary.empty()) {
            exchange_.message.fields.add("inference-header-content-length",
                                         std::to_string(json.size()));
        }
        return decode_rest_infer(
            exchange_, request_, find_infer_fields(exchange_.message.fields), pool_, catalog_);
    }
    Result<> decode_data(std::string_view dtype, std::string_view shape, std::string_view data) {
        return decode(R"({"inputs":[{"name":"x","datatype":")" + std::string(dtype) +
                      R"(","shape":)" + std::string(shape) + R"(,"data":)" + std::string(data) +
                      "}]}");
    }
    const Request& request() { return request_; }
    const TensorView& tensor(std::size_t i = 0) { return request().inputs.at(i).tensor; }

    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeExchange exchange_{pool_};
    Request request_;
};

TEST_F(RestInferDecodeTest, NullStandsForWhatIsLeftOut) {
    const auto result = decode(R"({"id":null,"parameters":null,"outputs":null,"inputs":[
        {"name":"x","parameters":null,"datatype":"FP32","shape":[1],"data":[1]}]})");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(request().id, "");
    EXPECT_TRUE(request().outputs.empty());
    EXPECT_EQ(elements<float>(tensor()), (std::vector<float>{1}));
    ASSERT_TRUE(decode(R"({"inputs":[{"data":[1],"parameters":null,"name":"x","datatype":"FP32",
        "shape":[1]}],"outputs":[{"name":"y","parameters":null}],"id":"a"})"));
    EXPECT_EQ(request().id, "a");
    EXPECT_FALSE(decode(R"({"id":nul,"inputs":[]})"));
    EXPECT_FALSE(decode(R"({"id":nullx,"inputs":[]})"));
}

// The first example of
// https://github.com/open-inference/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
// with the three elements that its "input1" of shape [3] should have.
TEST_F(RestInferDecodeTest, TheProtocolsExampleIsRead) {
    const auto result = decode(R"({
      "id" : "42",
      "inputs" : [
        { "name" : "input0", "shape" : [ 2, 2 ], "datatype" : "UINT32", "data" : [ 1, 2, 3, 4 ] },
        { "name" : "input1", "shape" : [ 3 ], "datatype" : "BOOL", "data" : [ true, false, true ] }
      ],
      "outputs" : [ { "name" : "output0" } ]
    })");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(request().id, "42");
    ASSERT_EQ(request().inputs.size(), 2U);
    EXPECT_EQ(request().inputs[0].name, "input0");
    EXPECT_EQ(tensor(0).dtype, DataType::kUint32);
    EXPECT_EQ(tensor(0).shape, (Shape{2, 2}));
    EXPECT_EQ(elements<std::uint32_t>(tensor(0)), (std::vector<std::uint32_t>{1, 2, 3, 4}));
    EXPECT_EQ(tensor(1).dtype, DataType::kBool);
    EXPECT_EQ(elements<std::uint8_t>(tensor(1)), (std::vector<std::uint8_t>{1, 0, 1}));
    ASSERT_EQ(request().outputs.size(), 1U);
    EXPECT_EQ(request().outputs[0].name, "output0");
    EXPECT_EQ(request().outputs[0].binary_data, std::nullopt);
    EXPECT_FALSE(request().binary_data_output);
}

// The example of Triton's extension_binary_data.md.
// A model of constants takes none; tritonclient then leaves the member out.
TEST_F(RestInferDecodeTest, ARequestMayHaveNoInputs) {
    for (const char* body : {R"({"id":"a"})", R"({"inputs":[]})"}) {
        const auto result = decode(body);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_TRUE(request().inputs.empty());
        request_ = {};
    }
}

TEST_F(RestInferDecodeTest, TheBinaryExtensionsExampleIsReadWithoutACopy) {
    const auto result = decode(R"({
      "model_name" : "mymodel",
      "inputs" : [
        { "name" : "input0", "shape" : [ 2, 2 ], "datatype" : "UINT32",
          "parameters" : { "binary_data_size" : 16 } },
        { "name" : "input1", "shape" : [ 3 ], "datatype" : "BOOL",
          "parameters" : { "binary_data_size" : 3 } }
      ],
      "outputs" : [ { "name" : "output0", "parameters" : { "binary_data" : true } } ]
    })",
                               raw<std::uint32_t>({1, 2, 3, 4}) + std::string("\1\0\1", 3));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(elements<std::uint32_t>(tensor(0)), (std::vector<std::uint32_t>{1, 2, 3, 4}));
    EXPECT_EQ(elements<std::uint8_t>(tensor(1)), (std::vector<std::uint8_t>{1, 0, 1}));
    EXPECT_EQ(request().outputs[0].binary_data, true);
    const auto body = exchange_.message.body.bytes();
    EXPECT_EQ(tensor(0).data.data(), body.data() + body.size() - 19);
}

TEST_F(RestInferDecodeTest, JsonAndBinaryInputsMix) {
    const auto result = decode(
        R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1.5]},
                      {"name":"b","shape":[1],"datatype":"FP16","parameters":{"binary_data_size":2}},
                      {"name":"c","shape":[2],"datatype":"INT8","data":[-1,2]}]})",
        "hi");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(elements<float>(tensor(0)), std::vector<float>{1.5F});
    EXPECT_EQ(text_of(tensor(1)), "hi");
    EXPECT_EQ(elements<std::int8_t>(tensor(2)), (std::vector<std::int8_t>{-1, 2}));
}

TEST_F(RestInferDecodeTest, EveryDatatypeReachesItsLimitsInJson) {
    const auto check = [this]<class T>(T, std::string_view dtype) {
        using Limits = std::numeric_limits<T>;
        const auto result = decode_data(
            dtype,
            "[2]",
            concat({"[", std::to_string(Limits::min()), ",", std::to_string(Limits::max()), "]"}));
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(elements<T>(tensor()), (std::vector<T>{Limits::min(), Limits::max()})) << dtype;
    };
    check(std::uint8_t{}, "UINT8");
    check(std::uint16_t{}, "UINT16");
    check(std::uint32_t{}, "UINT32");
    check(std::uint64_t{}, "UINT64");
    check(std::int8_t{}, "INT8");
    check(std::int16_t{}, "INT16");
    check(std::int32_t{}, "INT32");
    check(std::int64_t{}, "INT64");
}

TEST_F(RestInferDecodeTest, FloatsAreReadFromEveryNumberOfJson) {
    ASSERT_TRUE(decode_data("FP32", "[5]", "[1, -2.5, 3e2, 3.4028234e38, -0.0]"));
    EXPECT_EQ(elements<float>(tensor()), (std::vector<float>{1, -2.5F, 300, 3.4028234e38F, -0.0F}));
    ASSERT_TRUE(decode_data("FP64", "[2]", "[1.7976931348623157e308, 5e-324]"));
    EXPECT_EQ(elements<double>(tensor()),
              (std::vector<double>{std::numeric_limits<double>::max(), 5e-324}));
    ASSERT_TRUE(decode_data("FP32", "[3]", "[1e-45, -0, 16777217]"));
    EXPECT_EQ(elements<float>(tensor()), (std::vector<float>{1e-45F, 0, 16777216}));
    EXPECT_TRUE(std::signbit(elements<float>(tensor())[1]));
    ASSERT_TRUE(decode_data("FP64", "[3]", "[1e-400, 123456789012345678901234567890, -0.0]"));
    EXPECT_EQ(elements<double>(tensor()),
              (std::vector<double>{0, 123456789012345678901234567890.0, 0}));
    EXPECT_TRUE(std::signbit(elements<double>(tensor())[2]));
}

TEST_F(RestInferDecodeTest, FloatsThatAreNotFiniteAreReadAsOthersWriteThem) {
    const auto check = [this]<class T>(T, std::string_view dtype) {
        constexpr T kInfinity = std::numeric_limits<T>::infinity();
        const auto result =
            decode_data(dtype,
                        "[10]",
                        "[[Infinity , -Infinity,Inf,-Inf, 1e999, -1e309],\n[NaN\n,-NaN, null],7]");
        ASSERT_TRUE(result) << result.error().message;
        const std::vector<T> read = elements<T>(tensor());
        EXPECT_EQ(
            std::vector<T>(read.begin(), read.begin() + 6),
            (std::vector<T>{kInfinity, -kInfinity, kInfinity, -kInfinity, kInfinity, -kInfinity}));
        for (int i = 6; i < 9; ++i) EXPECT_TRUE(std::isnan(read[static_cast<std::size_t>(i)])) << i;
        EXPECT_EQ(read[9], 7);
    };
    check(float{}, "FP32");
    check(double{}, "FP64");
}

TEST_F(RestInferDecodeTest, IntegersBeyondWhatDoubleHoldsAreExact) {
    ASSERT_TRUE(decode_data("INT64", "[2]", "[9007199254740993, -9007199254740993]"));
    EXPECT_EQ(elements<std::int64_t>(tensor()),
              (std::vector<std::int64_t>{9007199254740993, -9007199254740993}));
}

TEST_F(RestInferDecodeTest, ParameterMayBeInfinite) {
    ASSERT_TRUE(decode(R"({"inputs":[{"name":"x","datatype":"BOOL","shape":[1],"data":[true]}],
                           "parameters":{"a":-Infinity,"b":NaN,"c":2.0}})"));
    EXPECT_EQ(std::get<double>(request().parameters[0].value),
              -std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::isnan(std::get<double>(request().parameters[1].value)));
    EXPECT_EQ(std::get<double>(request().parameters[2].value), 2);
}

TEST_F(RestInferDecodeTest, StringsAreUnescapedIntoBytes) {
    const auto result =
        decode_data("BYTES", "[2,2]", R"([["plain", ""], ["\u00e9\n\"\\", "\ud83d\ude00"]])");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(text_of(tensor()), raw_strings({"plain", "", "\xc3\xa9\n\"\\", "\xF0\x9F\x98\x80"}));
}

TEST_F(RestInferDecodeTest, NestedAndFlatDataAreTheSame) {
    ASSERT_TRUE(decode_data("INT32", "[2,1,2]", "[[[1,2]],[[3,4]]]"));
    EXPECT_EQ(elements<std::int32_t>(tensor()), (std::vector<std::int32_t>{1, 2, 3, 4}));
    ASSERT_TRUE(decode_data("INT32", "[2,1,2]", "[1,2,3,4]"));
    EXPECT_EQ(elements<std::int32_t>(tensor()), (std::vector<std::int32_t>{1, 2, 3, 4}));
}

TEST_F(RestInferDecodeTest, TensorsWithoutElementsAreFine) {
    ASSERT_TRUE(decode_data("FP32", "[0,4]", "[]"));
    EXPECT_TRUE(tensor().data.empty());
    ASSERT_TRUE(decode_data("BYTES", "[0]", "[]"));
    EXPECT_TRUE(tensor().data.empty());
}

TEST_F(RestInferDecodeTest, DataMayComeBeforeWhatDescribesIt) {
    const auto result = decode(
        R"({"inputs":[{"data":["q",["r"]],"shape":[2],"parameters":{"x":[{"data":1}]},
                       "datatype":"BYTES","name":"a"}, {"shape":[1],"data":[7],"name":"b",
                       "datatype":"INT8"}]})");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(text_of(tensor(0)), raw_strings({"q", "r"}));
    EXPECT_EQ(elements<std::int8_t>(tensor(1)), std::vector<std::int8_t>{7});
}

TEST_F(RestInferDecodeTest, EscapesInKeysAndNamesAreResolved) {
    const auto result =
        decode(R"({"\u0069nputs":[{"d\u0061ta":[1],"n\u0061me":"a\"b\\","shape":[1],)"
               R"("d\u0061tatype":"\u0049NT8"}],"id":"\u00e9\\",)"
               R"("parameters":{"k\n\\":"v\t"}})");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(request().inputs[0].name, "a\"b\\");
    EXPECT_EQ(elements<std::int8_t>(tensor()), std::vector<std::int8_t>{1});
    EXPECT_EQ(request().id, "\xc3\xa9\\");
    ASSERT_EQ(request().parameters.size(), 1U);
    EXPECT_EQ(request().parameters[0].name, "k\n\\");
    EXPECT_EQ(std::get<std::string_view>(request().parameters[0].value), "v\t");
}

TEST_F(RestInferDecodeTest, ViewsOutliveTheNextRequestOfTheThread) {
    ASSERT_TRUE(decode(R"({"id":"f\u0069rst","inputs":[{"name":"long \u0061 name",
                           "datatype":"BYTES","shape":[1],"data":["\u0061bc"]}]})"));
    FakeExchange other(pool_);
    Request next;
    other.set_body(R"({"id":"s\u0065cond","inputs":[{"name":"other \u0061 name",
                       "datatype":"BYTES","shape":[1],"data":["\u0078yz"]}]})");
    ASSERT_TRUE(decode_rest_infer(other, next, {}, pool_, catalog_));
    EXPECT_EQ(request().id, "first");
    EXPECT_EQ(request().inputs[0].name, "long a name");
    EXPECT_EQ(text_of(tensor()), raw_strings({"abc"}));
}

TEST_F(RestInferDecodeTest, TensorsStayRightWhileTheScratchBufferGrows) {
    std::string json = R"({"inputs":[)";
    for (int i = 0; i < 20; ++i) {
        if (i > 0) json += ',';
        json += R"({"name":"x","datatype":"INT64","shape":[)";
        json += std::to_string(i * 50);
        json += R"(],"data":[)";
        for (int j = 0; j < i * 50; ++j) {
            if (j > 0) json += ',';
            json += std::to_string(i * 1000 + j);
        }
        json += "]}";
    }
    const auto result = decode(json + "]}");
    ASSERT_TRUE(result) << result.error().message;
    for (int i = 0; i < 20; ++i) {
        const auto values = elements<std::int64_t>(tensor(static_cast<std::size_t>(i)));
        ASSERT_EQ(values.size(), static_cast<std::size_t>(i * 50));
        for (int j = 0; j < i * 50; ++j)
            EXPECT_EQ(values[static_cast<std::size_t>(j)], i * 1000 + j);
        EXPECT_EQ(
            reinterpret_cast<std::uintptr_t>(tensor(static_cast<std::size_t>(i)).data.data()) % 64,
            0U);
    }
}

TEST_F(RestInferDecodeTest, ParametersAreActedUponOrKept) {
    const auto result = decode(
        R"({"inputs":[{"name":"x","datatype":"BOOL","shape":[1],"data":[true]}],
            "parameters":{"timeout":2500,"priority":3,"binary_data_output":true,"b":false,
                          "i":-7,"u":18446744073709551615,"d":1.5,"s":"word"}})");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(request().deadline, exchange_.message.received + 2500us);
    EXPECT_EQ(request().priority, 3U);
    EXPECT_TRUE(request().binary_data_output);
    ASSERT_EQ(request().parameters.size(), 5U);
    EXPECT_EQ(std::get<bool>(request().parameters[0].value), false);
    EXPECT_EQ(std::get<std::int64_t>(request().parameters[1].value), -7);
    EXPECT_EQ(std::get<std::uint64_t>(request().parameters[2].value),
              std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(std::get<double>(request().parameters[3].value), 1.5);
    EXPECT_EQ(std::get<std::string_view>(request().parameters[4].value), "word");
}

TEST_F(RestInferDecodeTest, ATimeoutOfZeroIsNone) {
    ASSERT_TRUE(decode(R"({"inputs":[{"name":"x","datatype":"BOOL","shape":[1],"data":[true]}],
                           "parameters":{"timeout":0}})"));
    EXPECT_EQ(request().deadline, kNoDeadline);
}

TEST_F(RestInferDecodeTest, AnEarlierDeadlineOfTheHeadersStays) {
    const auto early = exchange_.message.received + 1ms;
    request_.deadline = early;
    exchange_.set_body(R"({"inputs":[{"name":"x","datatype":"BOOL","shape":[1],"data":[true]}],
                           "parameters":{"timeout":2500}})");
    ASSERT_TRUE(decode_rest_infer(exchange_, request_, {}, pool_, catalog_));
    EXPECT_EQ(request().deadline, early);
}

}  // namespace
}  // namespace lepton::protocol
