#include "grpc_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "exchange.h"
#include "inference.pb.h"

namespace lepton::client {
namespace {

using ::testing::HasSubstr;

inference::ModelInferResponse answer_of(int outputs) {
    inference::ModelInferResponse answer;
    answer.set_model_name("mlp");
    answer.set_model_version("3");
    answer.set_id("a");
    (*answer.mutable_parameters())["ignored"].set_bool_param(true);
    for (int i = 0; i < outputs; ++i) {
        auto& output = *answer.add_outputs();
        output.set_name("out" + std::to_string(i));
        output.set_datatype("FP64");
        output.add_shape(1);
        output.add_shape(2);
        const double values[] = {i + 0.5, i + 0.25};
        answer.add_raw_output_contents(values, sizeof values);
    }
    return answer;
}

Result<std::size_t> read(const std::string& message,
                         InferResult::Contents& contents,
                         std::size_t offset = 0) {
    contents.clear();
    contents.bytes.reserve(offset + message.size());
    contents.bytes.resize(offset + message.size());
    std::ranges::copy(std::as_bytes(std::span(message)), contents.bytes.data() + offset);
    return read_infer_answer(contents, offset);
}

std::string why_not(const inference::ModelInferResponse& answer) {
    InferResult::Contents contents;
    const auto result = read(answer.SerializeAsString(), contents);
    return result ? "it was read" : result.error().message;
}

TEST(GrpcAnswer, WhatProtobufWroteIsReadAndAligned) {
    // At each offset the data has another remainder of its alignment.
    for (const int outputs : {0, 1, 2, 7, 200}) {
        for (std::size_t offset = 0; offset < 8; ++offset) {
            InferResult result;
            ASSERT_TRUE(read(answer_of(outputs).SerializeAsString(), result.contents(), offset));
            EXPECT_EQ(result.model_name(), "mlp");
            EXPECT_EQ(result.model_version(), "3");
            EXPECT_EQ(result.id(), "a");
            ASSERT_EQ(result.outputs().size(), static_cast<std::size_t>(outputs));
            for (int i = 0; i < outputs; ++i) {
                const Output& output = result["out" + std::to_string(i)];
                EXPECT_EQ(output.shape, (Shape{1, 2}));
                const auto values = output.as<double>();
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values.data()) % alignof(double), 0u);
                ASSERT_EQ(values.size(), 2u);
                EXPECT_EQ(values[0], i + 0.5);
                EXPECT_EQ(values[1], i + 0.25);
            }
        }
    }
}

TEST(GrpcAnswer, PutWhereItIsToldNothingHasToMove) {
    InferResult::Contents contents;
    const std::string message = answer_of(1).SerializeAsString();
    const auto first = read(message, contents);
    ASSERT_TRUE(first);
    EXPECT_EQ(*first, message.size() - 16);
    const std::size_t lead = (8 - *first % 8) % 8;
    ASSERT_TRUE(read(message, contents, lead));
    EXPECT_EQ(contents.outputs[0].data.data(), contents.bytes.data() + lead + *first);
}

TEST(GrpcAnswer, BytesAreReadAsStrings) {
    inference::ModelInferResponse answer;
    auto& output = *answer.add_outputs();
    output.set_name("text");
    output.set_datatype("BYTES");
    output.add_shape(2);
    answer.add_raw_output_contents(std::string("\2\0\0\0hi\0\0\0\0", 10));
    InferResult result;
    ASSERT_TRUE(read(answer.SerializeAsString(), result.contents()));
    EXPECT_THAT(result["text"].strings(), testing::ElementsAre("hi", ""));

    for (const std::string& data : {std::string("\2\0\0\0hi", 6),
                                    std::string("\2\0\0\0hi\0\0\0\0\0", 11),
                                    std::string("\2\0\0\0hi\1\0\0\0", 10)}) {
        answer.set_raw_output_contents(0, data);
        EXPECT_THAT(why_not(answer), HasSubstr("are not the BYTES of shape [2]"));
    }
}

TEST(GrpcAnswer, AnswersThatContradictThemselvesAreRefusedByName) {
    auto answer = answer_of(2);
    answer.set_raw_output_contents(1, "too short");
    EXPECT_THAT(why_not(answer),
                HasSubstr("output \"out1\" with 9 bytes, which are not FP64 [1,2]"));

    answer = answer_of(2);
    answer.mutable_raw_output_contents()->RemoveLast();
    EXPECT_THAT(why_not(answer), HasSubstr("2 outputs and 1 raw_output_contents"));

    answer = answer_of(1);
    answer.add_raw_output_contents("more");
    EXPECT_THAT(why_not(answer), HasSubstr("1 outputs before raw_output_contents number 2"));

    answer = answer_of(1);
    answer.mutable_outputs(0)->set_datatype("FP9");
    EXPECT_THAT(why_not(answer), HasSubstr("\"out0\" of datatype \"FP9\""));

    answer = answer_of(1);
    answer.mutable_outputs(0)->set_shape(0, -1);
    EXPECT_THAT(why_not(answer), HasSubstr("of shape [-1,2]"));

    answer = answer_of(1);
    for (int i = 0; i < 20; ++i) answer.mutable_outputs(0)->add_shape(1);
    EXPECT_THAT(why_not(answer), HasSubstr("more than 16 extents"));

    answer = answer_of(1);
    answer.mutable_outputs(0)->mutable_contents()->add_fp64_contents(1);
    EXPECT_THAT(why_not(answer), HasSubstr("typed contents"));
}

TEST(GrpcAnswer, FieldsThatAlignmentWouldOverwriteAreRefused) {
    InferResult::Contents contents;
    const std::string message = answer_of(1).SerializeAsString();
    const auto result = read(message + message, contents);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, HasSubstr("behind its raw_output_contents"));
}

TEST(GrpcAnswer, AnswerCutAnywhereIsAnErrorOrAShorterAnswer) {
    const std::string message = answer_of(3).SerializeAsString();
    InferResult::Contents contents;
    std::size_t read_as_whole = 0;
    for (std::size_t size = 0; size < message.size(); ++size) {
        if (read(message.substr(0, size), contents)) ++read_as_whole;
    }
    // Before the first output every boundary between fields ends a whole message: the empty one,
    // and those after name, version, id and the parameter.
    EXPECT_EQ(read_as_whole, 5u);
}

TEST(GrpcAnswer, DamagedAnswersNeverReachBeyondTheirBytes) {
    std::mt19937 random(11);
    const std::string message = answer_of(3).SerializeAsString();
    for (int round = 0; round < 20'000; ++round) {
        std::string damaged = message;
        for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
            damaged[random() % damaged.size()] = static_cast<char>(random());
        }
        InferResult::Contents contents;
        if (!read(damaged, contents)) continue;
        const auto lies_within = [&](const void* data, std::size_t size) {
            const auto* const at = static_cast<const std::byte*>(data);
            return size == 0 || (at >= contents.bytes.data() &&
                                 at + size <= contents.bytes.data() + contents.bytes.capacity());
        };
        ASSERT_TRUE(lies_within(contents.model_name.data(), contents.model_name.size()));
        for (const Output& output : contents.outputs) {
            ASSERT_TRUE(lies_within(output.name.data(), output.name.size()));
            ASSERT_TRUE(lies_within(output.data.data(), output.data.size()));
        }
    }
}

TEST(GrpcAnswer, MetadataIsReadAsProtobufWroteIt) {
    inference::ModelMetadataResponse answer;
    answer.set_name("mlp");
    answer.add_versions("1");
    answer.add_versions("2");
    answer.set_platform("openvino_onnx");
    auto& input = *answer.add_inputs();
    input.set_name("input");
    input.set_datatype("FP32");
    input.add_shape(-1);
    input.add_shape(128);
    auto& output = *answer.add_outputs();
    output.set_name("output");
    output.set_datatype("BYTES");
    output.add_shape(-1);
    (*answer.mutable_parameters())["precision"].set_string_param("f32");
    (*answer.mutable_parameters())["threads"].set_int64_param(1);
    const std::string message = answer.SerializeAsString();
    const auto model = read_model_metadata(std::as_bytes(std::span(message)));
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->name, "mlp");
    EXPECT_THAT(model->versions, testing::ElementsAre("1", "2"));
    EXPECT_EQ(model->platform, "openvino_onnx");
    ASSERT_EQ(model->inputs.size(), 1u);
    EXPECT_EQ(model->inputs[0].name, "input");
    EXPECT_EQ(model->inputs[0].shape, (Shape{-1, 128}));
    EXPECT_EQ(model->outputs[0].dtype, DataType::kBytes);
    EXPECT_THAT(model->properties, testing::ElementsAre(std::pair("precision", "f32")));
    for (std::size_t size = 0; size < message.size(); ++size) {
        (void)read_model_metadata(std::as_bytes(std::span(message)).first(size));
    }
}

TEST(GrpcAnswer, YesIsYesAndAnythingElseNo) {
    inference::ServerReadyResponse answer;
    EXPECT_EQ(*read_yes_or_no({}), false);
    answer.set_ready(true);
    const std::string message = answer.SerializeAsString();
    EXPECT_EQ(*read_yes_or_no(std::as_bytes(std::span(message))), true);
    EXPECT_FALSE(read_yes_or_no(std::as_bytes(std::span(message)).first(1)));
}

}  // namespace
}  // namespace lepton::client
