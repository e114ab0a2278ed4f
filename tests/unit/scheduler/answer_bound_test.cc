#include "lepton/scheduler/answer_bound.h"

#include <array>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace lepton::scheduler {
namespace {

class AnswerBoundTest : public testing::Test {
protected:
    AnswerBoundTest() {
        spec_.batches = true;
        spec_.outputs = {{"small", DataType::kFp32, {-1}},
                         {"wide", DataType::kFp32, {-1, 250}},
                         {"open", DataType::kFp32, {-1, -1}},
                         {"words", DataType::kBytes, {-1, 2}}};
    }
    static std::string refusal(const Result<>& checked) {
        if (checked) return "fits";
        EXPECT_EQ(checked.error().code, ErrorCode::kPayloadTooLarge);
        return checked.error().message;
    }

    ModelSpec spec_;
    Request request_;
};

TEST_F(AnswerBoundTest, SignatureSaysWhatAnAnswerHasBeforeAnythingRuns) {
    const AnswerBound bound(spec_, 10'000);  // 4 + 1000 + 0 + 8 bytes a row.
    EXPECT_EQ(refusal(bound.check(request_, 9)), "fits");
    EXPECT_EQ(refusal(bound.check(request_, 10)),
              "output \"wide\" has 10000 bytes of an answer of 10120, at most 10000 are allowed "
              "(--max-answer-bytes)");
}

TEST_F(AnswerBoundTest, OnlyOutputsThatAreWantedCount) {
    const AnswerBound bound(spec_, 10'000);
    request_.outputs = {{"small", {}}};
    EXPECT_EQ(refusal(bound.check(request_, 2500)), "fits");
    EXPECT_NE(refusal(bound.check(request_, 2501)).find("\"small\""), std::string::npos);
}

TEST_F(AnswerBoundTest, SizesThatOverflowAreTooLargeWhateverTheBound) {
    const AnswerBound none(spec_, 0);
    EXPECT_EQ(refusal(none.check(request_, 1'000'000'000)), "fits");
    EXPECT_NE(refusal(none.check(request_, std::numeric_limits<std::int64_t>::max())), "fits");
    const std::array<std::size_t, 4> sizes{1, 2, std::numeric_limits<std::size_t>::max(), 3};
    EXPECT_NE(refusal(none.check_run(sizes, 5)).find("\"open\""), std::string::npos);
}

TEST_F(AnswerBoundTest, WhatARunComputesIsForAllTheAnswersThatItGives) {
    const AnswerBound bound(spec_, 100);
    const std::array<std::size_t, 4> sizes{0, 0, 250, 0};
    EXPECT_NE(refusal(bound.check_run(sizes, 2)), "fits");
    EXPECT_EQ(refusal(bound.check_run(sizes, 3)), "fits");
    EXPECT_EQ(refusal(bound.check_run({}, 1)), "fits");
}

TEST_F(AnswerBoundTest, SizesOfOnePieceSayWhatAllWillHave) {
    const AnswerBound bound(spec_, 1000);
    const std::array<std::size_t, 4> piece{16, 0, 160, 0};  // Of 16 rows.
    EXPECT_EQ(refusal(bound.check(request_, piece, 16, 90)), "fits");
    EXPECT_NE(refusal(bound.check(request_, piece, 16, 91)), "fits");
}

}  // namespace
}  // namespace lepton::scheduler
