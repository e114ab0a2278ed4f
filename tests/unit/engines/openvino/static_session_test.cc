#include "engines/openvino/static_session.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/openvino/openvino_engine.h"
#include "lepton/memory/buffer_pool.h"
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

// The model y = 2 x + 1 with rows of four numbers.
class ScaleSessionTest : public ::testing::Test {
protected:
    void SetUp() override {
        graph_ = open("scale");
        auto session = graph_->make_session({});
        ASSERT_TRUE(session) << session.error().message;
        session_ = *std::move(session);
    }
    std::vector<float> run(std::int64_t rows, const std::vector<float>& values) {
        const TensorView input = view_of(DataType::kFp32, {rows, 4}, values);
        TensorView output;
        const Result<> ran = session_->run(rows, {&input, 1}, {&output, 1});
        EXPECT_TRUE(ran) << ran.error().message;
        EXPECT_EQ(output.shape, (Shape{rows, 4}));
        return values_of<float>(output);
    }

    std::unique_ptr<engine::Graph> graph_;
    std::unique_ptr<engine::Session> session_;
};

TEST_F(ScaleSessionTest, RunsOneRow) {
    ASSERT_TRUE(session_->prepare(1));
    EXPECT_THAT(run(1, {1, 2, 3, 4}), ElementsAre(3, 5, 7, 9));
}

TEST_F(ScaleSessionTest, RunsFewerRowsThanPrepared) {
    ASSERT_TRUE(session_->prepare(4));
    EXPECT_THAT(run(1, {1, 2, 3, 4}), ElementsAre(3, 5, 7, 9));
    EXPECT_THAT(run(2, {0, 0, 0, 0, 5, 5, 5, 5}), ElementsAre(1, 1, 1, 1, 11, 11, 11, 11));
}

TEST_F(ScaleSessionTest, KeepsThePreparedRowCountsInOrder) {
    for (const std::int64_t rows : {4, 1, 2, 4}) ASSERT_TRUE(session_->prepare(rows));
    EXPECT_THAT(session_->prepared(), ElementsAre(1, 2, 4));
    session_->drop(2);
    EXPECT_THAT(session_->prepared(), ElementsAre(1, 4));
    EXPECT_EQ(run(2, std::vector<float>(8, 1.0F)), std::vector<float>(8, 3.0F));
}

TEST_F(ScaleSessionTest, RefusesMoreRowsThanPrepared) {
    ASSERT_TRUE(session_->prepare(2));
    const std::vector<float> values(12);
    const TensorView input = view_of(DataType::kFp32, {3, 4}, values);
    TensorView output;
    const Result<> ran = session_->run(3, {&input, 1}, {&output, 1});
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(ran.error().message, "cannot run 3 rows, prepared for at most 2");
}

TEST_F(ScaleSessionTest, RefusesDataOfTheWrongSize) {
    ASSERT_TRUE(session_->prepare(1));
    const std::vector<float> values(3);
    const TensorView input = view_of(DataType::kFp32, {1, 4}, values);
    TensorView output;
    const Result<> ran = session_->run(1, {&input, 1}, {&output, 1});
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().message, "input \"x\" has 12 bytes, 1 rows need 16");
}

TEST_F(ScaleSessionTest, ReadsWhatWasGatheredInTheSlot) {
    ASSERT_TRUE(session_->prepare(1));
    ASSERT_TRUE(session_->prepare(2));
    const std::span<std::byte> slot = session_->slot(0);
    ASSERT_EQ(slot.size(), 2 * 4 * sizeof(float));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot.data()) % 64, 0u);
    for (const std::int64_t rows : {2, 1}) {
        const std::vector<float> values(static_cast<std::size_t>(rows) * 4, 2.0F);
        std::memcpy(slot.data(), values.data(), values.size() * sizeof(float));
        const TensorView input{
            DataType::kFp32, {rows, 4}, slot.first(values.size() * sizeof(float))};
        TensorView output;
        ASSERT_TRUE(session_->run(rows, {&input, 1}, {&output, 1}));
        EXPECT_EQ(values_of<float>(output), std::vector<float>(values.size(), 5.0F));
    }
}

TEST_F(ScaleSessionTest, ReadsLargeAlignedInputsInPlaceAndTheSlotAfterwards) {
    constexpr std::int64_t kRows = 8192;  // 128 KiB
    ASSERT_TRUE(session_->prepare(kRows));
    memory::BufferPool pool;
    std::vector<memory::Buffer> foreign;
    for (const float value : {1.0F, 2.0F}) {
        foreign.push_back(pool.take(kRows * 4 * sizeof(float)));
        for (std::int64_t i = 0; i < kRows * 4; ++i) {
            std::memcpy(foreign.back().extend(sizeof value), &value, sizeof value);
        }
    }
    for (const std::size_t which : {0, 1, 1, 0}) {
        const TensorView input{DataType::kFp32, {kRows, 4}, foreign[which].bytes()};
        TensorView output;
        ASSERT_TRUE(session_->run(kRows, {&input, 1}, {&output, 1}));
        const float expected = which == 0 ? 3.0F : 5.0F;
        EXPECT_EQ(values_of<float>(output), std::vector<float>(kRows * 4, expected));
    }
    foreign.clear();
    EXPECT_THAT(run(1, {1, 2, 3, 4}), ElementsAre(3, 5, 7, 9));
}

TEST_F(ScaleSessionTest, TheGraphMayGoOnceAllIsPrepared) {
    ASSERT_TRUE(session_->prepare(1));
    graph_.reset();
    EXPECT_THAT(run(1, {1, 2, 3, 4}), ElementsAre(3, 5, 7, 9));
    EXPECT_FALSE(session_->prepare(2));
}

TEST(StaticSession, RunsAModelThatDoesNotBatch) {
    const auto graph = open("fixed");
    const auto session = graph->make_session({.threads = 2});
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_FALSE((*session)->prepare(2));
    ASSERT_TRUE((*session)->prepare(1));
    const std::vector<float> b{6, 5, 4, 3, 2, 1};
    const std::vector<float> a{1, 1, 1, 2, 2, 2};
    const std::vector<TensorView> inputs{view_of(DataType::kFp32, {2, 3}, b),
                                         view_of(DataType::kFp32, {2, 3}, a)};
    std::vector<TensorView> outputs(2);
    ASSERT_TRUE((*session)->run(1, inputs, outputs));
    EXPECT_EQ(outputs[0].shape, (Shape{2, 3}));
    EXPECT_THAT(values_of<float>(outputs[0]), ElementsAre(7, 6, 5, 5, 4, 3));
    EXPECT_THAT(values_of<float>(outputs[1]), ElementsAre(5, 4, 3, 1, 0, -1));
}

TEST(StaticSession, CarriesEveryDatatype) {
    const auto graph = open("datatypes");
    ASSERT_EQ(graph->inputs().size(), 13u);  // All but BYTES.
    const auto session = graph->make_session({});
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE((*session)->prepare(2));
    std::vector<std::vector<std::byte>> data;
    std::vector<TensorView> inputs;
    for (const TensorSpec& spec : graph->inputs()) {
        const std::size_t bytes = 4 * element_bytes(spec.dtype);
        // One, then zeros; 64 bit floats pass through the CPU plug-in as 32 bit ones.
        data.emplace_back(bytes, std::byte{0});
        if (spec.dtype == DataType::kFp64) {
            const double one = 1;
            std::memcpy(data.back().data(), &one, sizeof one);
        } else {
            data.back()[0] = std::byte{1};
        }
        inputs.push_back({spec.dtype, {2, 2}, data.back()});
    }
    std::vector<TensorView> outputs(graph->outputs().size());
    const Result<> ran = (*session)->run(2, inputs, outputs);
    ASSERT_TRUE(ran) << ran.error().message;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        EXPECT_EQ(outputs[i].dtype, graph->inputs()[i].dtype);
        EXPECT_EQ(values_of<std::byte>(outputs[i]), data[i]) << graph->inputs()[i].name;
    }
}

TEST(StaticSession, CarriesStrings) {
    const auto graph = open("strings");
    ASSERT_EQ(graph->inputs()[0].dtype, DataType::kBytes);
    const auto session = graph->make_session({});
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE((*session)->prepare(2));
    EXPECT_TRUE((*session)->slot(0).empty());
    const std::string longer(50, 'x');
    const std::vector<std::byte> wire = length_prefixed({"one", "", "three", longer});
    const TensorView two_rows{DataType::kBytes, {2, 2}, wire};
    TensorView output;
    ASSERT_TRUE((*session)->run(2, {&two_rows, 1}, {&output, 1}));
    EXPECT_EQ(values_of<std::byte>(output), length_prefixed({"", "one", longer, "three"}));
    const std::vector<std::byte> shorter = length_prefixed({"only", "row"});
    const TensorView one_row{DataType::kBytes, {1, 2}, shorter};
    ASSERT_TRUE((*session)->run(1, {&one_row, 1}, {&output, 1}));
    EXPECT_EQ(values_of<std::byte>(output), length_prefixed({"row", "only"}));
    const TensorView broken{DataType::kBytes, {2, 2}, std::span(wire).first(5)};
    EXPECT_THAT((*session)->run(2, {&broken, 1}, {&output, 1}).error().message,
                HasSubstr("element 0 of input \"text\" claims 3 bytes"));
}

TEST(StaticSession, RefusesNodesThatWouldFreeStringsTwice) {
    const auto graph = open("copied_strings");
    const auto session = graph->make_session({});
    ASSERT_TRUE(session) << session.error().message;
    const Result<> prepared = (*session)->prepare(1);
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(prepared.error().message, HasSubstr("\"copy\" (Identity) handles strings"));
}

TEST(StaticSession, ComputesInThePrecisionThatWasAskedForOrSaysThatItCannot) {
    const auto graph = open("scale");
    for (const engine::Precision precision : {engine::Precision::kBf16, engine::Precision::kF16}) {
        const auto session = graph->make_session({.precision = precision});
        ASSERT_TRUE(session) << session.error().message;
        const Result<> prepared = (*session)->prepare(1);
        if (prepared) continue;  // This CPU has it.
        EXPECT_EQ(prepared.error().code, ErrorCode::kUnsupported);
        EXPECT_THAT(prepared.error().message, HasSubstr("is not offered by this CPU"));
    }
}

TEST(StaticSession, NeedsAtLeastOneThread) {
    const auto session = open("scale")->make_session({.threads = 0});
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace lepton::openvino
