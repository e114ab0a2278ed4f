#include "lepton/protocol/kserve/raw_binary_request.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

class RawBinaryRequest : public testing::Test {
protected:
    Result<> decode(std::string_view body) {
        exchange_.reset();
        request_ = {};
        request_.model_name = "digits";
        exchange_.set_body(body);
        return decode_raw_binary(exchange_, request_, pool_, catalog_);
    }
    TensorSpec& input() { return catalog_.model->inputs[0]; }
    const InputTensor& decoded() { return request_.inputs.at(0); }

    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeExchange exchange_{pool_};
    Request request_;
};

TEST_F(RawBinaryRequest, TheModelDescribesTheTensor) {
    ASSERT_TRUE(decode(raw<float>({1, 2})));
    EXPECT_EQ(decoded().name, "image");
    EXPECT_EQ(decoded().tensor.dtype, DataType::kFp32);
    EXPECT_EQ(decoded().tensor.shape, (Shape{1, 2}));
    EXPECT_EQ(decoded().tensor.data.data(), exchange_.message.body.data());
    EXPECT_TRUE(request_.binary_data_output);
}

TEST_F(RawBinaryRequest, SeveralRowsMakeABatch) {
    ASSERT_TRUE(decode(raw<float>({1, 2, 3, 4, 5, 6})));
    EXPECT_EQ(decoded().tensor.shape, (Shape{3, 2}));
}

TEST_F(RawBinaryRequest, AnOpenExtentBesideTheBatchAxisMeansOneRow) {
    input().shape = {-1, -1, 2};
    ASSERT_TRUE(decode(raw<float>({1, 2, 3, 4})));
    EXPECT_EQ(decoded().tensor.shape, (Shape{1, 2, 2}));
}

TEST_F(RawBinaryRequest, AStaticShapeIsTakenAsItIs) {
    catalog_.model->batches = false;
    input().shape = {2, 2};
    ASSERT_TRUE(decode(raw<float>({1, 2, 3, 4})));
    EXPECT_EQ(decoded().tensor.shape, (Shape{2, 2}));
    EXPECT_FALSE(decode(raw<float>({1, 2, 3})));
}

TEST_F(RawBinaryRequest, ABytesBodyIsOneElement) {
    input() = {"text", DataType::kBytes, {-1, 1}};
    ASSERT_TRUE(decode("hello"));
    EXPECT_EQ(decoded().name, "text");
    EXPECT_EQ(decoded().tensor.shape, (Shape{1, 1}));
    EXPECT_EQ(text_of(decoded().tensor), raw_strings({"hello"}));
}

TEST_F(RawBinaryRequest, TheInputsNameOutlivesTheModel) {
    ASSERT_TRUE(decode(raw<float>({1, 2})));
    catalog_.model.reset();
    EXPECT_EQ(decoded().name, "image");
}

TEST_F(RawBinaryRequest, WhatTheModelCannotDescribeIsRefused) {
    EXPECT_THAT(decode("1234567").error().message,
                testing::HasSubstr("the body has 7 bytes; input \"image\" of FP32 and shape [-1,2] "
                                   "takes a multiple of 8"));
    input().shape = {-1, -1, -1};
    EXPECT_THAT(decode("12345678").error().message,
                testing::HasSubstr("more than one open extent"));
    input() = {"text", DataType::kBytes, {-1, 2}};
    EXPECT_THAT(decode("hello").error().message, testing::HasSubstr("the body is one element"));
    catalog_.model->inputs.push_back(input());
    EXPECT_THAT(decode("12345678").error().message, testing::HasSubstr("it has 2 inputs"));
}

TEST_F(RawBinaryRequest, AnUnknownModelIsNotFound) {
    request_.model_name = "other";
    EXPECT_EQ(decode_raw_binary(exchange_, request_, pool_, catalog_).error().code,
              ErrorCode::kModelNotFound);
}

}  // namespace
}  // namespace lepton::protocol
