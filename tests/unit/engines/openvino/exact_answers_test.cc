// Every answer was computed by its own run, from its own inputs, or is an error.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openvino/op/ops.hpp>
#include <openvino/op/util/variable.hpp>
#include <openvino/pass/serialize.hpp>

#include "engines/openvino/openvino_engine.h"
#include "support/temp_folder.h"
#include "support/tensors.h"

namespace lepton::openvino {
namespace {

using lepton::testing::TempFolder;
using lepton::testing::values_of;
using lepton::testing::view_of;
using std::make_shared;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Parameter = ov::op::v0::Parameter;
using Value = ov::Output<ov::Node>;

std::shared_ptr<Parameter> parameter(const std::string& name,
                                     const ov::PartialShape& shape,
                                     ov::element::Type type = ov::element::f32) {
    auto made = make_shared<Parameter>(type, shape);
    made->set_friendly_name(name);
    return made;
}
Value integers(const std::vector<std::int64_t>& values) {
    return ov::op::v0::Constant::create(ov::element::i64, {values.size()}, values);
}
Value integer(std::int64_t value) {
    return ov::op::v0::Constant::create(ov::element::i64, {}, std::vector<std::int64_t>{value});
}

// A model, written to a file and opened as the server opens it.
class ExactAnswersTest : public ::testing::Test {
protected:
    void open(const ov::OutputVector& outputs,
              const ov::ParameterVector& inputs,
              engine::SessionOptions options = {}) {
        ov::Model model(outputs, inputs, "m");
        open(model, options);
    }
    void open(ov::Model& model, engine::SessionOptions options = {}) {
        const std::string file = (folder_.path() / "model.xml").string();
        ov::pass::Serialize(file, (folder_.path() / "model.bin").string())
            .run_on_model(model.clone());
        auto graph = OpenVinoEngine().open(file, {});
        ASSERT_TRUE(graph) << graph.error().message;
        graph_ = *std::move(graph);
        auto session = graph_->make_session(options);
        ASSERT_TRUE(session) << session.error().message;
        session_ = *std::move(session);
        const Result<> ready = session_->prepare(1);
        ASSERT_TRUE(ready) << ready.error().message;
        outputs_.resize(graph_->outputs().size());
    }
    // Empty, or the error.
    std::string run(const std::vector<TensorView>& inputs, std::int64_t rows = 1) {
        const Result<> ran = session_->run(rows, inputs, outputs_);
        return ran ? "" : ran.error().message;
    }

    TempFolder folder_;
    std::unique_ptr<engine::Graph> graph_;
    std::unique_ptr<engine::Session> session_;
    std::vector<TensorView> outputs_;
};

constexpr engine::SessionOptions kWhole{1, engine::Precision::kF32, false, false};
constexpr engine::SessionOptions kTrusted{1, engine::Precision::kF32, true, true};

TEST_F(ExactAnswersTest, AnOutputThatIsAnInputIsThatInput) {
    const auto x = parameter("x", {3});
    open({x, make_shared<ov::op::v0::Relu>(x)}, {x});
    for (const float first : {-1.0F, -5.0F}) {
        const std::vector<float> given{first, 2, 3};
        ASSERT_EQ(run({view_of(DataType::kFp32, {3}, given)}), "");
        EXPECT_EQ(values_of<float>(outputs_[0]), given);
        EXPECT_THAT(values_of<float>(outputs_[1]), ElementsAre(0, 2, 3));
    }
}

TEST_F(ExactAnswersTest, AModelThatOnlyPassesOnComputesNothing) {
    const auto x = parameter("x", {-1, 2}, ov::element::i64);
    open({x, x}, {x}, kWhole);
    for (const std::int64_t rows : {1, 3}) {
        const std::vector<std::int64_t> given(static_cast<std::size_t>(rows * 2), rows + 40);
        ASSERT_EQ(run({view_of(DataType::kInt64, {rows, 2}, given)}), "");
        EXPECT_EQ(values_of<std::int64_t>(outputs_[0]), given);
        EXPECT_EQ(values_of<std::int64_t>(outputs_[1]), given);
        EXPECT_EQ(outputs_[1].shape, (Shape{rows, 2}));
    }
}

TEST_F(ExactAnswersTest, TwoOutputsOfOneTensorBothHaveIt) {
    const auto x = parameter("x", {2});
    const auto y = make_shared<ov::op::v0::Negative>(x);
    open({y, make_shared<ov::op::v0::Abs>(x), y}, {x});
    const std::vector<float> given{-1, 2};
    ASSERT_EQ(run({view_of(DataType::kFp32, {2}, given)}), "");
    EXPECT_THAT(values_of<float>(outputs_[0]), ElementsAre(1, -2));
    EXPECT_THAT(values_of<float>(outputs_[1]), ElementsAre(1, 2));
    EXPECT_THAT(values_of<float>(outputs_[2]), ElementsAre(1, -2));
}

TEST_F(ExactAnswersTest, AShapeThatTheModelRefusesIsAnErrorAndTheNextAnswerIsRight) {
    const auto x = parameter("x", {-1});
    open({make_shared<ov::op::v1::Reshape>(x, integers({4, -1}), false)}, {x}, kWhole);
    const std::vector<float> eight{1, 2, 3, 4, 5, 6, 7, 8};
    const std::vector<float> seven{0, 0, 0, 0, 0, 0, 0};
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(run({view_of(DataType::kFp32, {8}, eight)}), "");
        EXPECT_EQ(values_of<float>(outputs_[0]), eight);
        EXPECT_THAT(run({view_of(DataType::kFp32, {7}, seven)}),
                    HasSubstr("the model refuses these inputs"));
    }
}

// What shape inference cannot know, because the shape is a value of the request.
TEST_F(ExactAnswersTest, AShapeThatIsAValueAndIsRefusedLeavesNoTrace) {
    const auto x = parameter("x", {8});
    const auto shape = parameter("shape", {2}, ov::element::i64);
    open({make_shared<ov::op::v1::Reshape>(x, shape, false)}, {x, shape}, kWhole);
    const std::vector<std::int64_t> good{2, 4};
    const std::vector<std::int64_t> bad{3, 4};
    const std::vector<std::int64_t> other{8, 1};
    for (int i = 0; i < 3; ++i) {
        const std::vector<float> given(8, static_cast<float>(i));
        const TensorView input = view_of(DataType::kFp32, {8}, given);
        ASSERT_EQ(run({input, view_of(DataType::kInt64, {2}, good)}), "");
        EXPECT_EQ(values_of<float>(outputs_[0]), given);
        EXPECT_EQ(outputs_[0].shape, (Shape{2, 4}));
        EXPECT_NE(run({input, view_of(DataType::kInt64, {2}, bad)}), "");
        ASSERT_EQ(run({input, view_of(DataType::kInt64, {2}, other)}), "");
        EXPECT_EQ(outputs_[0].shape, (Shape{8, 1}));
    }
}

TEST_F(ExactAnswersTest, AnEmptyAnswerIsOneToo) {
    const auto x = parameter("x", {-1});
    open({make_shared<ov::op::v3::NonZero>(x, ov::element::i64)}, {x}, kWhole);
    const std::vector<float> none{0, 0, 0};
    const std::vector<float> two{0, 5, 6};
    ASSERT_EQ(run({view_of(DataType::kFp32, {3}, none)}), "");
    EXPECT_EQ(outputs_[0].shape, (Shape{1, 0}));
    ASSERT_EQ(run({view_of(DataType::kFp32, {3}, two)}), "");
    EXPECT_THAT(values_of<std::int64_t>(outputs_[0]), ElementsAre(1, 2));
    ASSERT_EQ(run({view_of(DataType::kFp32, {3}, none)}), "");
    EXPECT_EQ(outputs_[0].shape, (Shape{1, 0}));
}

// An index that an operation refuses while it runs: with one thread OpenVINO's executor would keep
// it to itself.
TEST_F(ExactAnswersTest, AValueThatIsRefusedWhileItRunsIsAnErrorAndTheNextAnswerIsRight) {
    const auto data = parameter("data", {3});
    const auto index = parameter("index", {1}, ov::element::i64);
    const auto update = parameter("update", {1});
    open({make_shared<ov::op::v3::ScatterElementsUpdate>(data, index, update, integer(0))},
         {data, index, update});
    const std::vector<float> zeros{0, 0, 0};
    const std::vector<std::int64_t> inside{1};
    const std::vector<std::int64_t> outside{99};
    for (const float value : {5.0F, 6.0F}) {
        const std::vector<float> one{value};
        const TensorView given = view_of(DataType::kFp32, {3}, zeros);
        const TensorView updates = view_of(DataType::kFp32, {1}, one);
        ASSERT_EQ(run({given, view_of(DataType::kInt64, {1}, inside), updates}), "");
        EXPECT_THAT(values_of<float>(outputs_[0]), ElementsAre(0, value, 0));
        EXPECT_NE(run({given, view_of(DataType::kInt64, {1}, outside), updates}), "");
    }
}

TEST_F(ExactAnswersTest, AnIntegerIsNotDividedByZero) {
    for (const ov::element::Type type : {ov::element::i32, ov::element::i64, ov::element::u8}) {
        const auto x = parameter("x", {2}, type);
        const auto by = parameter("by", {2}, type);
        open({make_shared<ov::op::v1::Divide>(x, by), make_shared<ov::op::v1::FloorMod>(x, by)},
             {x, by});
        const auto bytes = [&](std::uint8_t first, std::uint8_t second) {
            std::vector<std::uint8_t> made(2 * type.size());
            made[0] = first;
            made[type.size()] = second;
            return made;
        };
        const DataType dtype = graph_->inputs()[0].dtype;
        const auto seven = bytes(7, 9);
        const auto two = bytes(2, 4);
        const auto zero = bytes(2, 0);
        ASSERT_EQ(run({view_of(dtype, {2}, seven), view_of(dtype, {2}, two)}), "");
        EXPECT_EQ(values_of<std::uint8_t>(outputs_[0]), bytes(3, 2));
        EXPECT_EQ(values_of<std::uint8_t>(outputs_[1]), bytes(1, 1));
        EXPECT_THAT(run({view_of(dtype, {2}, seven), view_of(dtype, {2}, zero)}),
                    HasSubstr("an integer is divided by zero in "));
    }
}

TEST_F(ExactAnswersTest, ARangeNeedsAStepAndEndsWhereItShould) {
    const auto stop = parameter("stop", {}, ov::element::i64);
    const auto step = parameter("step", {}, ov::element::i64);
    open({make_shared<ov::op::v4::Range>(integer(0), stop, step, ov::element::i64)},
         {stop, step},
         kWhole);
    const auto ask = [&](std::int64_t to, std::int64_t by) {
        const std::vector<std::int64_t> stops{to};
        const std::vector<std::int64_t> steps{by};
        return run({view_of(DataType::kInt64, {}, stops), view_of(DataType::kInt64, {}, steps)});
    };
    EXPECT_EQ(ask(5, 2), "");
    EXPECT_THAT(values_of<std::int64_t>(outputs_[0]), ElementsAre(0, 2, 4));
    EXPECT_EQ(ask(-3, 1), "");
    EXPECT_TRUE(outputs_[0].data.empty());
    EXPECT_EQ(ask(-3, -2), "");
    EXPECT_THAT(values_of<std::int64_t>(outputs_[0]), ElementsAre(0, -2));
    EXPECT_THAT(ask(5, 0), HasSubstr("the step is zero"));
}

TEST_F(ExactAnswersTest, AnIndexBeyondTheDataReadsNothing) {
    const auto data = parameter("data", {3, 2});
    const auto places = parameter("places", {1, 1}, ov::element::i64);
    open({make_shared<ov::op::v8::GatherND>(data, places)}, {data, places});
    const std::vector<float> given{1, 2, 3, 4, 5, 6};
    const auto ask = [&](std::int64_t place) {
        const std::vector<std::int64_t> one{place};
        return run(
            {view_of(DataType::kFp32, {3, 2}, given), view_of(DataType::kInt64, {1, 1}, one)});
    };
    EXPECT_EQ(ask(2), "");
    EXPECT_THAT(values_of<float>(outputs_[0]), ElementsAre(5, 6));
    EXPECT_THAT(ask(3), HasSubstr("an index is beyond the data in GatherND"));
    EXPECT_THAT(ask(-4), HasSubstr("an index is beyond the data in GatherND"));
    EXPECT_THAT(ask(std::int64_t{1} << 30), HasSubstr("an index is beyond the data in GatherND"));
}

TEST_F(ExactAnswersTest, AStateOfOneRequestIsNotThatOfTheNext) {
    const auto x = parameter("x", {2});
    const auto variable = make_shared<ov::op::util::Variable>(
        ov::op::util::VariableInfo{ov::PartialShape{2}, ov::element::f32, "sum"});
    const auto before = make_shared<ov::op::v6::ReadValue>(
        ov::op::v0::Constant::create(ov::element::f32, {2}, std::vector<float>{0, 0}), variable);
    const auto sum = make_shared<ov::op::v1::Add>(before, x);
    const auto assign = make_shared<ov::op::v6::Assign>(sum, variable);
    ov::Model model(ov::OutputVector{make_shared<ov::op::v0::Relu>(sum)},
                    ov::SinkVector{assign},
                    ov::ParameterVector{x},
                    "m");
    open(model);
    const std::vector<float> given{1, 2};
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(run({view_of(DataType::kFp32, {2}, given)}), "");
        EXPECT_THAT(values_of<float>(outputs_[0]), ElementsAre(1, 2));
    }
}

// y = x - mean of all rows, which somebody says may share a run.
TEST_F(ExactAnswersTest, SpareRowsAreNotThoseOfAnEarlierRun) {
    const auto x = parameter("x", {-1, 1});
    const auto mean = make_shared<ov::op::v1::ReduceMean>(x, integers({0}), true);
    open({make_shared<ov::op::v1::Subtract>(x, mean)}, {x}, kTrusted);
    ASSERT_TRUE(session_->prepare(4));
    const std::vector<float> large{1000, 2000, 3000, 4000};
    ASSERT_EQ(run({view_of(DataType::kFp32, {4, 1}, large)}, 4), "");
    const std::vector<float> same{7, 7};
    ASSERT_EQ(run({view_of(DataType::kFp32, {2, 1}, same)}, 2), "");
    EXPECT_THAT(values_of<float>(outputs_[0]), ElementsAre(0, 0));
}

TEST_F(ExactAnswersTest, RowsThatAreNotProvenIndependentAreNotPreparedToShareARun) {
    const auto x = parameter("x", {-1, 1});
    const auto mean = make_shared<ov::op::v1::ReduceMean>(x, integers({0}), true);
    open({make_shared<ov::op::v1::Subtract>(x, mean)}, {x});
    const Result<> prepared = session_->prepare(4);
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(prepared.error().message, HasSubstr("works across the rows of a batch"));
    const Shape two{2, 1};
    EXPECT_THAT(graph_->prove_rows({&two, 1}).error().message, HasSubstr("ReduceMean"));
}

}  // namespace
}  // namespace lepton::openvino
