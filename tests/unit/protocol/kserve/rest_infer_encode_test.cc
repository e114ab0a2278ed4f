#include "lepton/protocol/kserve/rest_infer_encode.h"

#include <cmath>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

class RestInferEncodeTest : public testing::Test {
protected:
    RestInferEncodeTest() { response_.model = FakeCatalog().model; }

    void add_output(std::string_view name, DataType dtype, const Shape& shape, std::string data) {
        storage_.push_back(std::make_unique<std::string>(std::move(data)));
        response_.outputs.push_back({name, {dtype, shape, bytes_of(*storage_.back())}});
    }
    Result<> encode(ContentEncoding encoding = ContentEncoding::kIdentity) {
        return encode_rest_infer(request_, response_, encoding, pool_, reply_);
    }
    nlohmann::json parsed() { return nlohmann::json::parse(reply_.body.text()); }

    memory::BufferPool pool_;
    Request request_;
    Response response_;
    net::Reply reply_;
    std::vector<std::unique_ptr<std::string>> storage_;
};

TEST_F(RestInferEncodeTest, AnAnswerInJsonIsTheProtocols) {
    request_.id = "42";
    request_.parameters = {
        {"b", true}, {"i", std::int64_t{-1}}, {"u", std::uint64_t{7}}, {"d", 0.5}, {"s", "w\"d"}};
    add_output("scores", DataType::kFp32, {1, 2}, raw<float>({0.25F, 1e20F}));
    ASSERT_TRUE(encode());
    EXPECT_EQ(reply_.content_type, "application/json");
    EXPECT_EQ(reply_.fields.size(), 0U);
    EXPECT_EQ(parsed(), nlohmann::json::parse(R"({
        "model_name":"digits", "model_version":"3", "id":"42",
        "parameters":{"b":true,"i":-1,"u":7,"d":0.5,"s":"w\"d"},
        "outputs":[{"name":"scores","datatype":"FP32","shape":[1,2],"data":[0.25,1e20]}]})"));
}

TEST_F(RestInferEncodeTest, NumbersAreWrittenAsTheyAre) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    request_.parameters = {{"whole", 2.0}, {"none", -kInfinity}};
    add_output("f", DataType::kFp64, {4}, raw<double>({-0.0, kInfinity, std::nan(""), 1}));
    add_output("i", DataType::kInt64, {1}, raw<std::int64_t>({9007199254740993}));
    ASSERT_TRUE(encode());
    const std::string_view text = reply_.body.text();
    EXPECT_NE(text.find(R"("parameters":{"whole":2.0,"none":-Infinity})"), std::string_view::npos);
    EXPECT_NE(text.find(R"("data":[-0.0,Infinity,NaN,1]})"), std::string_view::npos);
    EXPECT_NE(text.find(R"("data":[9007199254740993]})"), std::string_view::npos);
}

TEST_F(RestInferEncodeTest, AnAnswerWithoutIdAndParametersLeavesThemOut) {
    ASSERT_TRUE(encode());
    EXPECT_EQ(reply_.body.text(), R"({"model_name":"digits","model_version":"3","outputs":[]})");
}

TEST_F(RestInferEncodeTest, BinaryOutputsFollowTheJsonInItsOrder) {
    request_.outputs = {{"a", true}, {"b", false}, {"c", std::nullopt}};
    request_.binary_data_output = true;
    add_output("a", DataType::kFp16, {2}, "1234");
    add_output("b", DataType::kInt8, {2}, raw<std::int8_t>({-1, 5}));
    add_output("c", DataType::kBytes, {1}, raw_strings({"xyz"}));
    ASSERT_TRUE(encode());
    EXPECT_EQ(reply_.content_type, "application/octet-stream");
    const auto length =
        std::stoul(std::string(reply_.fields.find("inference-header-content-length")));
    const auto json = nlohmann::json::parse(reply_.body.text().substr(0, length));
    EXPECT_EQ(json["outputs"], nlohmann::json::parse(R"([
        {"name":"a","datatype":"FP16","shape":[2],"parameters":{"binary_data_size":4}},
        {"name":"b","datatype":"INT8","shape":[2],"data":[-1,5]},
        {"name":"c","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":7}}])"));
    EXPECT_EQ(reply_.body.text().substr(length), "1234" + raw_strings({"xyz"}));
}

TEST_F(RestInferEncodeTest, AnEmptyBinaryOutputStillHasItsHeader) {
    request_.binary_data_output = true;
    add_output("a", DataType::kFp32, {0}, "");
    ASSERT_TRUE(encode());
    EXPECT_EQ(reply_.fields.find("inference-header-content-length"),
              std::to_string(reply_.body.size()));
}

TEST_F(RestInferEncodeTest, EveryDatatypeThatJsonHasAWordForIsWritten) {
    add_output("bool", DataType::kBool, {2}, std::string("\1\0", 2));
    add_output("u8", DataType::kUint8, {1}, raw<std::uint8_t>({255}));
    add_output("u16", DataType::kUint16, {1}, raw<std::uint16_t>({65535}));
    add_output("u32", DataType::kUint32, {1}, raw<std::uint32_t>({4294967295}));
    add_output("u64",
               DataType::kUint64,
               {1},
               raw<std::uint64_t>({std::numeric_limits<std::uint64_t>::max()}));
    add_output("i8", DataType::kInt8, {1}, raw<std::int8_t>({-128}));
    add_output("i16", DataType::kInt16, {1}, raw<std::int16_t>({-32768}));
    add_output("i32", DataType::kInt32, {1}, raw<std::int32_t>({-2147483647 - 1}));
    add_output("i64",
               DataType::kInt64,
               {1},
               raw<std::int64_t>({std::numeric_limits<std::int64_t>::min()}));
    add_output("f32", DataType::kFp32, {1}, raw<float>({-1.5F}));
    add_output("f64", DataType::kFp64, {1}, raw<double>({0.1}));
    add_output("bytes", DataType::kBytes, {2}, raw_strings({"caf\xc3\xa9\n", ""}));
    ASSERT_TRUE(encode());
    const auto outputs = parsed()["outputs"];
    std::string data;
    for (const auto& output : outputs) data += output["data"].dump() + " ";
    EXPECT_EQ(data,
              "[true,false] [255] [65535] [4294967295] [18446744073709551615] [-128] "
              "[-32768] [-2147483648] [-9223372036854775808] [-1.5] [0.1] "
              "[\"caf\xc3\xa9\\n\",\"\"] ");
}

TEST_F(RestInferEncodeTest, LargeTensorsAreWrittenWhole) {
    std::string data;
    for (int i = 0; i < 100'000; ++i) data += raw<float>({static_cast<float>(i) / 7});
    add_output("x", DataType::kFp32, {100'000}, data);
    ASSERT_TRUE(encode());
    const auto values = parsed()["outputs"][0]["data"];
    ASSERT_EQ(values.size(), 100'000U);
    for (int i = 0; i < 100'000; i += 999) {
        EXPECT_EQ(values[static_cast<std::size_t>(i)].get<float>(), static_cast<float>(i) / 7);
    }
}

TEST_F(RestInferEncodeTest, WhatJsonCannotCarryIsAnError) {
    add_output("half", DataType::kFp16, {1}, "12");
    EXPECT_EQ(encode().error().message,
              "output \"half\" is FP16, which JSON cannot carry; ask for it as binary data");
    response_.outputs.clear();
    add_output("blob", DataType::kBytes, {1}, raw_strings({"\xff"}));
    EXPECT_THAT(encode().error().message, testing::HasSubstr("BYTES that are not UTF-8"));
}

TEST_F(RestInferEncodeTest, ACompressedAnswerKeepsTheLengthOfItsJson) {
    request_.binary_data_output = true;
    add_output("a", DataType::kFp32, {2}, raw<float>({1, 2}));
    ASSERT_TRUE(encode());
    const std::string plain(reply_.body.text());
    const std::string length(reply_.fields.find("inference-header-content-length"));
    reply_.clear();
    ASSERT_TRUE(encode(ContentEncoding::kGzip));
    EXPECT_EQ(reply_.fields.find("content-encoding"), "gzip");
    EXPECT_EQ(reply_.fields.find("inference-header-content-length"), length);
    ASSERT_TRUE(decompress(reply_.body, ContentEncoding::kGzip, 1'000'000, pool_));
    EXPECT_EQ(reply_.body.text(), plain);
}

}  // namespace
}  // namespace lepton::protocol
