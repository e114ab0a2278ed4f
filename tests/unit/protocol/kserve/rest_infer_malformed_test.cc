// Every way in which an infer request over HTTP can be wrong, and what it is told.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lepton/protocol/kserve/rest_infer_decode.h"
#include "lepton/protocol/text.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

struct Malformed {
    std::string name;
    std::string json;
    std::string binary;
    std::string message;  // Part of what is said.
    ErrorCode code = ErrorCode::kInvalidArgument;
};

std::ostream& operator<<(std::ostream& out, const Malformed& wrong) { return out << wrong.name; }

// An input of one FP32 element, with `fields` in place of its data.
std::string with_input(const std::string& fields) {
    return R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],)" + fields + "}]}";
}
std::string with_data(const std::string& dtype, const std::string& shape, const std::string& data) {
    return R"({"inputs":[{"name":"x","datatype":")" + dtype + R"(","shape":)" + shape +
           R"(,"data":)" + data + "}]}";
}
std::string with_parameter(const std::string& parameter) {
    return R"({"parameters":{)" + parameter +
           R"(},"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]})";
}
std::string with_output(const std::string& output) {
    return R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}],"outputs":)" +
           output + "}";
}

class RestInferMalformed : public testing::TestWithParam<Malformed> {};

TEST_P(RestInferMalformed, IsRefusedWithItsReason) {
    const Malformed& wrong = GetParam();
    memory::BufferPool pool;
    FakeCatalog catalog;
    FakeExchange exchange(pool);
    Request request;
    exchange.set_body(wrong.json + wrong.binary);
    const std::string length = std::to_string(wrong.json.size());
    InferFields fields;
    if (!wrong.binary.empty()) fields.header_length = length;
    const Result<> result = decode_rest_infer(exchange, request, fields, pool, catalog);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, wrong.code);
    EXPECT_THAT(result.error().message, testing::HasSubstr(wrong.message));
}

INSTANTIATE_TEST_SUITE_P(
    Json,
    RestInferMalformed,
    testing::Values(
        Malformed{"NoBody", "", "", "no body"},
        Malformed{"NotJson", "hello", "", "must be an object"},
        Malformed{"Blank", "   ", "", "malformed JSON"},
        Malformed{"NotAnObject", "[1]", "", "must be an object"},
        Malformed{"Scalar", "17", "", "must be an object"},
        Malformed{"Truncated", R"({"inputs":[)", "", "malformed JSON"},
        Malformed{"Unclosed", with_input(R"("data":[1])").substr(0, 50), "", "malformed JSON"},
        Malformed{"Trailing", with_input(R"("data":[1])") + "{}", "", "malformed JSON"},
        Malformed{"TrailingWord", with_input(R"("data":[1])") + " x", "", "malformed JSON"},
        Malformed{"MissingComma", R"({"id":"a" "inputs":[]})", "", "malformed JSON"},
        Malformed{"MissingColon", R"({"id" "a"})", "", "malformed JSON"},
        Malformed{"BadEscape", R"({"id":"\q"})", "", "malformed JSON"},
        Malformed{"LoneSurrogateKey", R"({"\ud800":1})", "", "malformed JSON"},
        Malformed{"ControlByte", "{\"id\":\"a\nb\"}", "", "malformed JSON"},
        Malformed{"NotUtf8", "{\"id\":\"\xff\"}", "", "malformed JSON"},
        Malformed{
            "Deep", with_data("FP32", "[1]", std::string(100'000, '[')), "", "nests more than 17"},
        Malformed{"DeepButClosed",
                  with_data("FP32", "[1]", std::string(5000, '[') + "1" + std::string(5000, ']')),
                  "",
                  "nests more than 17"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Members,
    RestInferMalformed,
    testing::Values(
        Malformed{
            "InputsTwice",
            R"({"inputs":[{"name":"x","datatype":"FP32","shape":[0],"data":[]}],"inputs":[]})",
            "",
            "\"inputs\" twice"},
        Malformed{"InputsNotArray", R"({"inputs":{}})", "", "\"inputs\" is {; it must be an array"},
        Malformed{
            "InputNotObject", R"({"inputs":[3]})", "", "\"inputs\" is 3; it must be an object"},
        Malformed{"IdNotString", R"({"id":42})", "", "\"id\" is 42; it must be a string"},
        Malformed{"NoName",
                  R"({"inputs":[{"datatype":"FP32","shape":[1],"data":[1]}]})",
                  "",
                  "no \"name\""},
        Malformed{"NameNotString", R"({"inputs":[{"name":null}]})", "", "must be a string"},
        Malformed{"NoDatatype",
                  R"({"inputs":[{"name":"x","shape":[1],"data":[1]}]})",
                  "",
                  "input \"x\" has no \"datatype\""},
        Malformed{"UnknownDatatype",
                  with_data("FLOAT", "[1]", "[1]"),
                  "",
                  "input \"x\" has datatype \"FLOAT\""},
        Malformed{"NoShape",
                  R"({"inputs":[{"name":"x","datatype":"FP32","data":[1]}]})",
                  "",
                  "input \"x\" has no \"shape\""},
        Malformed{"ShapeNotArray", with_data("FP32", "1", "[1]"), "", "must be an array"},
        Malformed{"ShapeOfFloats",
                  with_data("FP32", "[1.0]", "[1]"),
                  "",
                  "\"shape\" holds 1.0; it must hold whole numbers"},
        Malformed{"ShapeOfStrings", with_data("FP32", "[\"1\"]", "[1]"), "", "holds \"1\""},
        Malformed{"ShapeTooLarge",
                  with_data("FP32", "[9223372036854775808]", "[1]"),
                  "",
                  "holds 9223372036854775808"},
        Malformed{"NegativeExtent", with_data("FP32", "[-1]", "[1]"), "", "must not be negative"},
        Malformed{
            "ShapeOverflows", with_data("FP32", "[4294967296,4294967296]", "[1]"), "", "overflows"},
        Malformed{
            "BytesOverflow", with_data("FP64", "[4611686018427387904]", "[1]"), "", "overflows"},
        Malformed{"TooManyExtents",
                  with_data("FP32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]"),
                  "",
                  "more than 16 extents"},
        Malformed{"NeitherDataNorBinary", with_input(R"("x":1)"), "", "has neither"},
        Malformed{"DataTwice", with_input(R"("data":[1],"data":[1])"), "", "\"data\" twice"},
        Malformed{"OutputsNotArray", with_output("3"), "", "\"outputs\" is 3"},
        Malformed{"OutputWithoutName", with_output("[{}]"), "", "no \"name\""},
        Malformed{"BinaryDataNotBool",
                  with_output(R"([{"name":"y","parameters":{"binary_data":1}}])"),
                  "",
                  "\"binary_data\" is 1; it must be true or false"},
        Malformed{"Classification",
                  with_output(R"([{"name":"y","parameters":{"classification":3}}])"),
                  "",
                  "\"classification\"",
                  ErrorCode::kUnsupported},
        Malformed{"SharedMemory",
                  with_input(R"("parameters":{"shared_memory_region":"r"})"),
                  "",
                  "\"shared_memory_region\"",
                  ErrorCode::kUnsupported}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Elements,
    RestInferMalformed,
    testing::Values(
        Malformed{"TooFew",
                  with_data("FP32", "[3]", "[1,2]"),
                  "",
                  "input \"x\" has 2 elements, its shape asks for 3"},
        Malformed{"TooMany",
                  with_data("FP32", "[1]", "[1,2]"),
                  "",
                  "input \"x\" has more elements, its shape asks for 1"},
        Malformed{"FarTooFew",
                  with_data("FP32", "[1000000000]", "[1]"),
                  "",
                  "more than the text has bytes"},
        Malformed{"DataNotArray",
                  with_data("FP32", "[1]", "1"),
                  "",
                  "\"data\" of an input is 1; it must be an array"},
        Malformed{"DataOfObjects", with_data("FP32", "[1]", "[{}]"), "", "element 0 is {"},
        Malformed{"Uint8Above",
                  with_data("UINT8", "[2]", "[1,256]"),
                  "",
                  "element 1 is 256; UINT8 takes whole numbers from 0 to 255"},
        Malformed{"Uint8Below", with_data("UINT8", "[1]", "[-1]"), "", "element 0 is -1"},
        Malformed{"Int8Above", with_data("INT8", "[1]", "[128]"), "", "from -128 to 127"},
        Malformed{"Int8Below", with_data("INT8", "[1]", "[-129]"), "", "element 0 is -129"},
        Malformed{"Int16", with_data("INT16", "[1]", "[32768]"), "", "from -32768 to 32767"},
        Malformed{"Uint16", with_data("UINT16", "[1]", "[65536]"), "", "from 0 to 65535"},
        Malformed{"Int32", with_data("INT32", "[1]", "[2147483648]"), "", "2147483648; INT32"},
        Malformed{"Uint32", with_data("UINT32", "[1]", "[4294967296]"), "", "4294967296; UINT32"},
        Malformed{"Int64",
                  with_data("INT64", "[1]", "[9223372036854775808]"),
                  "",
                  "9223372036854775808; INT64"},
        Malformed{"Uint64",
                  with_data("UINT64", "[1]", "[18446744073709551616]"),
                  "",
                  "18446744073709551616; UINT64"},
        Malformed{"FloatForInt", with_data("INT32", "[1]", "[1.5]"), "", "element 0 is 1.5; INT32"},
        Malformed{"ExponentForInt", with_data("INT32", "[1]", "[1e2]"), "", "element 0 is 1e2"},
        Malformed{"StringForNumber", with_data("FP32", "[1]", "[\"1\"]"), "", "element 0 is \"1\""},
        Malformed{"WholeFloatForInt", with_data("INT64", "[1]", "[1.0]"), "", "is 1.0; INT64"},
        Malformed{"NullForInt", with_data("INT32", "[1]", "[null]"), "", "element 0 is null"},
        Malformed{"NanForInt", with_data("INT32", "[1]", "[NaN]"), "", "element 0 is NaN"},
        Malformed{"InfinityForInt", with_data("INT64", "[1]", "[1e999]"), "", "is 1e999"},
        Malformed{"WordForFloat", with_data("FP32", "[1]", "[Infinit]"), "", "is Infinit; FP32"},
        Malformed{"NullWithMore", with_data("FP32", "[1]", "[nullx]"), "", "is nullx"},
        Malformed{"LowerCaseNan", with_data("FP32", "[1]", "[nan]"), "", "is nan"},
        Malformed{"BadNumber", with_data("FP64", "[1]", "[01e999]"), "", "is 01e999"},
        Malformed{"Fp32Above", with_data("FP32", "[1]", "[1e39]"), "", "element 0 is 1e39; FP32"},
        Malformed{"Fp32Below", with_data("FP32", "[1]", "[-1e39]"), "", "element 0 is -1e39"},
        Malformed{"NumberForBool", with_data("BOOL", "[1]", "[1]"), "", "takes true or false"},
        Malformed{"NumberForString", with_data("BYTES", "[1]", "[1]"), "", "BYTES takes strings"},
        Malformed{"Fp16", with_data("FP16", "[1]", "[1]"), "", "send it as binary data"},
        Malformed{"Bf16", with_data("BF16", "[1]", "[1]"), "", "send it as binary data"},
        Malformed{"LateFp16",
                  R"({"inputs":[{"data":[1],"shape":[1],"name":"x","datatype":"FP16"}]})",
                  "",
                  "send it as binary data"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Binary,
    RestInferMalformed,
    testing::Values(Malformed{"SizeAboveBody",
                              with_input(R"("parameters":{"binary_data_size":5})"),
                              "1234",
                              "\"binary_data_size\" is 5, and 4 of the 4 bytes that follow"},
                    Malformed{
                        "SizeHuge",
                        with_input(R"("parameters":{"binary_data_size":18446744073709551615})"),
                        "1234",
                        "is 18446744073709551615"},
                    Malformed{"SizeNotOfShape",
                              with_input(R"("parameters":{"binary_data_size":3})"),
                              "123",
                              "input \"x\" has 3 bytes, FP32 of shape [1] asks for 4"},
                    Malformed{"SizeNegative",
                              with_input(R"("parameters":{"binary_data_size":-4})"),
                              "1234",
                              "is -4; it must be a count of bytes"},
                    Malformed{"SizeNotNumber",
                              with_input(R"("parameters":{"binary_data_size":"4"})"),
                              "1234",
                              "is \"4\""},
                    Malformed{"BytesLeftOver",
                              with_input(R"("parameters":{"binary_data_size":4})"),
                              "12345",
                              "1 bytes follow the last tensor"},
                    Malformed{"BothDataAndBinary",
                              with_input(R"("data":[1],"parameters":{"binary_data_size":4})"),
                              "1234",
                              "has both"},
                    Malformed{"NoBinaryPart",
                              with_input(R"("parameters":{"binary_data_size":4})"),
                              "",
                              "and 0 of the 0 bytes that follow"},
                    Malformed{"BytesPrefix",
                              R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[1],)"
                              R"("parameters":{"binary_data_size":6}}]})",
                              std::string("\xff\0\0\0ab", 6),
                              "element 0 reaches past the 6 bytes"},
                    Malformed{"BytesCount",
                              R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[2],)"
                              R"("parameters":{"binary_data_size":6}}]})",
                              std::string("\2\0\0\0ab", 6),
                              "has 1 elements, its shape [2] asks for 2"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Parameters,
    RestInferMalformed,
    testing::Values(
        Malformed{"NotObject", R"({"parameters":[1]})", "", "must be an object"},
        Malformed{"OfArray", with_parameter(R"("p":[1])"), "", "parameter \"p\" is ["},
        Malformed{"OfNull", with_parameter(R"("p":null)"), "", "parameter \"p\" is null"},
        Malformed{
            "TimeoutNegative",
            with_parameter(R"("timeout":-1)"),
            "",
            "parameter \"timeout\" is -1; it must be a whole number from 0 to 31536000000000"},
        Malformed{"TimeoutFloat", with_parameter(R"("timeout":1.5)"), "", "\"timeout\" is 1.5"},
        Malformed{"TimeoutString", with_parameter(R"("timeout":"5")"), "", "\"timeout\" is \"5\""},
        Malformed{"TimeoutBool", with_parameter(R"("timeout":true)"), "", "\"timeout\" is true"},
        Malformed{
            "TimeoutLong", with_parameter(R"("timeout":31536000000001)"), "", "31536000000001"},
        Malformed{"TimeoutHuge",
                  with_parameter(R"("timeout":18446744073709551615)"),
                  "",
                  "18446744073709551615"},
        Malformed{
            "PriorityNegative", with_parameter(R"("priority":-1)"), "", "from 0 to 4294967295"},
        Malformed{"PriorityAbove", with_parameter(R"("priority":4294967296)"), "", "4294967296"},
        Malformed{"BinaryOutput",
                  with_parameter(R"("binary_data_output":1)"),
                  "",
                  "must be true or false"}),
    [](const auto& test) { return test.param.name; });

TEST(RestInferEntries, AreBounded) {
    memory::BufferPool pool;
    FakeCatalog catalog;
    const auto repeated = [](std::string_view entry) {
        std::string list(entry);
        for (int i = 0; i < 1024; ++i) list.append(",").append(entry);
        return list;
    };
    const std::string input = R"({"name":"x","datatype":"FP32","shape":[0],"data":[]})";
    const std::pair<std::string, std::string> cases[] = {
        {concat({R"({"inputs":[)", repeated(input), "]}"}), "more than 1024 inputs"},
        {with_output(concat({"[", repeated(R"({"name":"y"})"), "]"})), "more than 1024 outputs"},
        {with_parameter(repeated(R"("p":1)")), "more than 1024 parameters"}};
    for (const auto& [json, message] : cases) {
        FakeExchange exchange(pool);
        Request request;
        exchange.set_body(json);
        const Result<> result = decode_rest_infer(exchange, request, {}, pool, catalog);
        ASSERT_FALSE(result) << message;
        EXPECT_THAT(result.error().message, testing::HasSubstr(message));
    }
}

TEST(RestInferHeaderLength, MustBeACountOfBytesWithinTheBody) {
    memory::BufferPool pool;
    FakeCatalog catalog;
    FakeExchange exchange(pool);
    Request request;
    exchange.set_body(with_input(R"("data":[1])"));
    for (const std::string_view length : {"", "-1", "x", "1.0", "100000", "99999999999999999999"}) {
        InferFields fields;
        fields.header_length = length;
        const Result<> result = decode_rest_infer(exchange, request, fields, pool, catalog);
        ASSERT_FALSE(result) << length;
        EXPECT_THAT(result.error().message,
                    testing::HasSubstr("inference-header-content-length is"));
    }
}

// What stands behind a text that ends too early must not be taken for a part of it.
TEST(RestInferTruncated, TheBytesBehindTheTextAreNotRead) {
    memory::BufferPool pool;
    FakeCatalog catalog;
    const std::string whole = with_input(R"("data":[1])");
    for (const std::string_view behind : {"]}", ",[", ",{", "}", ",", ",1", ":1", "\"", "1]}"}) {
        for (std::size_t size = 1; size < whole.size(); ++size) {
            FakeExchange exchange(pool);
            Request request;
            exchange.set_body(whole.substr(0, size) + std::string(behind));
            InferFields fields;
            const std::string length = std::to_string(size);
            fields.header_length = length;
            EXPECT_FALSE(decode_rest_infer(exchange, request, fields, pool, catalog))
                << size << behind;
            EXPECT_EQ(exchange.message.body.text().substr(size), behind);
        }
    }
}

// The decoder looks at bytes one word at a time: no prefix of a request may lead it astray.
TEST(RestInferTruncated, EveryPrefixIsRefused) {
    memory::BufferPool pool;
    FakeCatalog catalog;
    const std::string whole =
        R"({"id":"\u0061","parameters":{"timeout":5,"k\n":"v"},"inputs":[{"data":[[1.5],[2]],)"
        R"("name":"x","shape":[2,1],"datatype":"FP32","parameters":{"a":{"b":[]}}},{"name":"y",)"
        R"("shape":[1],"datatype":"BYTES","data":["\ud83d\ude00"]}],"outputs":[{"name":"z"}]})";
    for (std::size_t size = 0; size < whole.size(); ++size) {
        FakeExchange exchange(pool);
        Request request;
        exchange.set_body(whole.substr(0, size));
        EXPECT_FALSE(decode_rest_infer(exchange, request, {}, pool, catalog)) << size;
    }
    FakeExchange exchange(pool);
    Request request;
    exchange.set_body(whole);
    EXPECT_TRUE(decode_rest_infer(exchange, request, {}, pool, catalog));
}

}  // namespace
}  // namespace lepton::protocol
