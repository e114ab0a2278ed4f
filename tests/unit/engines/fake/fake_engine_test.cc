#include "engines/fake/fake_engine.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lepton/core/clock.h"
#include "support/temp_folder.h"
#include "support/tensors.h"

namespace lepton::fake {
namespace {

using lepton::testing::TempFolder;
using lepton::testing::values_of;
using lepton::testing::view_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kRows = R"("inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
                                "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}])";

class FakeEngineTest : public ::testing::Test {
protected:
    Result<std::unique_ptr<engine::Graph>> open(const std::string& more) {
        std::string text = "{";
        text.append(kRows);
        if (!more.empty()) text.append(", ").append(more);
        text.append("}");
        return engine_.open(folder_.write("model.fake", text), {});
    }
    // A session for up to four rows.
    std::unique_ptr<engine::Session> session(const std::string& more) {
        auto graph = open(more);
        EXPECT_TRUE(graph) << graph.error().message;
        auto made = (*graph)->make_session({});
        EXPECT_TRUE((*made)->prepare(4));
        return *std::move(made);
    }

    TempFolder folder_;
    FakeEngine engine_;
    std::vector<float> values_{1, 2, 3, 4};
    TensorView input_ = view_of(DataType::kFp32, {2, 2}, values_);
    TensorView output_;
};

TEST_F(FakeEngineTest, CopiesInputToOutput) {
    ASSERT_TRUE(session("")->run(2, {&input_, 1}, {&output_, 1}));
    EXPECT_EQ(output_.shape, (Shape{2, 2}));
}

TEST_F(FakeEngineTest, AddsAConstant) {
    const auto runs = session(R"("add": 10)");
    ASSERT_TRUE(runs->run(2, {&input_, 1}, {&output_, 1}));
    EXPECT_THAT(values_of<float>(output_), ElementsAre(11, 12, 13, 14));
}

TEST_F(FakeEngineTest, MixesRowsWhenToldTo) {
    const auto runs = session(R"("mix_rows": true)");
    ASSERT_TRUE(runs->run(2, {&input_, 1}, {&output_, 1}));
    EXPECT_THAT(values_of<float>(output_), ElementsAre(2, 3, 4, 5));
}

TEST_F(FakeEngineTest, TakesAtLeastTheTimeItIsTold) {
    const auto runs = session(R"("delay_us": 1000, "delay_us_per_row": 500, "delay": "busy")");
    const Clock::time_point start = Clock::now();
    ASSERT_TRUE(runs->run(2, {&input_, 1}, {&output_, 1}));
    EXPECT_GE(Clock::now() - start, std::chrono::microseconds(2000));
}

TEST_F(FakeEngineTest, FailsRunsAsTold) {
    const auto runs = session(R"("fail": "out of luck")");
    const Result<> ran = runs->run(2, {&input_, 1}, {&output_, 1});
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, ErrorCode::kInternal);
    EXPECT_EQ(ran.error().message, "out of luck");
}

TEST_F(FakeEngineTest, FailsOnlyOnTheByteItIsTold) {
    const auto runs = session(R"("fail": "out of luck", "fail_when_first_is": 7)");
    EXPECT_TRUE(runs->run(2, {&input_, 1}, {&output_, 1}));
    std::memset(values_.data(), 7, 1);
    EXPECT_FALSE(runs->run(2, {&input_, 1}, {&output_, 1}));
}

TEST_F(FakeEngineTest, RefusesMoreRowsThanPrepared) {
    const auto runs = session("");
    const std::vector<float> values(10);
    const TensorView five = view_of(DataType::kFp32, {5, 2}, values);
    EXPECT_EQ(runs->run(5, {&five, 1}, {&output_, 1}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FakeEngineTest, OffersASlotForTheLargestPreparedRowCount) {
    EXPECT_EQ(session("")->slot(0).size(), 4 * 2 * sizeof(float));
}

TEST_F(FakeEngineTest, AFileThatFailsToLoadSaysWhy) {
    EXPECT_THAT(open(R"("fail_load": "no such op")").error().message, HasSubstr("no such op"));
    EXPECT_THAT(engine_.open(folder_.write("m.fake", "{"), {}).error().message,
                HasSubstr("cannot be read"));
    EXPECT_THAT(engine_.open(folder_.path() / "none.fake", {}).error().message,
                HasSubstr("cannot be opened"));
}

}  // namespace
}  // namespace lepton::fake
