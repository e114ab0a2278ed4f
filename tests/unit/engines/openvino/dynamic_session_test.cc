#include "engines/openvino/dynamic_session.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/openvino/openvino_engine.h"
#include "support/tensors.h"

namespace lepton::openvino {
namespace {

using lepton::testing::length_prefixed;
using lepton::testing::values_of;
using lepton::testing::view_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<engine::Graph> open(const std::string& name) {
    auto graph = OpenVinoEngine().open(std::string(LEPTON_TEST_DATA) + "/" + name + ".onnx", {});
    EXPECT_TRUE(graph) << graph.error().message;
    return *std::move(graph);
}

TEST(DynamicSession, RunsEachRequestInItsOwnShape) {
    const auto graph = open("sequence");
    const auto session = graph->make_session({});
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE((*session)->prepare(2));
    EXPECT_TRUE((*session)->slot(0).empty());
    EXPECT_THAT((*session)->prepared(), ElementsAre(2));
    for (const std::int64_t length : {3, 7, 3}) {
        for (const std::int64_t rows : {1, 2}) {
            const std::vector<std::int64_t> ids(static_cast<std::size_t>(rows * length), 2);
            const TensorView input = view_of(DataType::kInt64, {rows, length}, ids);
            TensorView output;
            const Result<> ran = (*session)->run(rows, {&input, 1}, {&output, 1});
            ASSERT_TRUE(ran) << ran.error().message;
            EXPECT_EQ(output.shape, (Shape{rows, 1}));
            EXPECT_EQ(values_of<float>(output),
                      std::vector<float>(static_cast<std::size_t>(rows),
                                         2.0F * static_cast<float>(length)));
        }
    }
}

TEST(DynamicSession, ReadsDataThatIsNotAligned) {
    const auto session = open("sequence")->make_session({});
    const std::vector<std::int64_t> ids{9, 1, 2, 3};
    const TensorView input{DataType::kInt64, {1, 3}, std::as_bytes(std::span(ids)).subspan(8)};
    TensorView output;
    ASSERT_TRUE((*session)->run(1, {&input, 1}, {&output, 1}));
    EXPECT_THAT(values_of<float>(output), ElementsAre(6));
}

TEST(DynamicSession, RefusesDataThatDoesNotFillItsShape) {
    const auto session = open("sequence")->make_session({});
    const std::vector<std::int64_t> ids(3);
    const TensorView input = view_of(DataType::kInt64, {1, 4}, ids);
    TensorView output;
    const Result<> ran = (*session)->run(1, {&input, 1}, {&output, 1});
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(ran.error().message, "input \"ids\" has 24 bytes, shape [1,4] needs 32");
}

TEST(DynamicSession, AShapeThatTheModelRefusesIsAnInvalidArgument) {
    const auto session = open("sequence")->make_session({});
    const std::vector<std::int64_t> ids(4);
    const TensorView input = view_of(DataType::kInt64, {1, 2, 2}, ids);
    TensorView output;
    const Result<> ran = (*session)->run(1, {&input, 1}, {&output, 1});
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(ran.error().message, HasSubstr("the model refuses these inputs"));
}

TEST(DynamicSession, TakesTheWholeShapeFromTheRequestWhereRowsAreNotCounted) {
    const auto graph = open("centered");
    const auto session = graph->make_session({.batches = false});
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE((*session)->prepare(1));
    EXPECT_FALSE((*session)->prepare(2));
    const std::vector<float> values{1, 1, 1, 1, 3, 3, 3, 3};
    const TensorView input = view_of(DataType::kFp32, {2, 4}, values);
    TensorView output;
    ASSERT_TRUE((*session)->run(1, {&input, 1}, {&output, 1}));
    EXPECT_EQ(output.shape, (Shape{2, 4}));
    EXPECT_THAT(values_of<float>(output), ElementsAre(-1, -1, -1, -1, 1, 1, 1, 1));
}

TEST(DynamicSession, CarriesStrings) {
    const auto session = open("strings")->make_session({.batches = false});
    ASSERT_TRUE(session) << session.error().message;
    const std::string longer(50, 'x');
    for (const auto& texts : {std::vector<std::string_view>{"a", longer},
                              std::vector<std::string_view>{"", "d", longer, "fgh"},
                              std::vector<std::string_view>{"b", "c"}}) {
        std::vector<std::string_view> swapped = texts;
        for (std::size_t i = 0; i < swapped.size(); i += 2) std::swap(swapped[i], swapped[i + 1]);
        const std::vector<std::byte> wire = length_prefixed(texts);
        const auto rows = static_cast<std::int64_t>(texts.size() / 2);
        const TensorView input{DataType::kBytes, {rows, 2}, wire};
        TensorView output;
        const Result<> ran = (*session)->run(1, {&input, 1}, {&output, 1});
        ASSERT_TRUE(ran) << ran.error().message;
        EXPECT_EQ(output.shape, (Shape{rows, 2}));
        EXPECT_EQ(values_of<std::byte>(output), length_prefixed(swapped));
    }
}

}  // namespace
}  // namespace lepton::openvino
