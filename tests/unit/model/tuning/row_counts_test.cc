#include "lepton/model/tuning/row_counts.h"

#include <vector>

#include <gtest/gtest.h>

namespace lepton::model {
namespace {

using namespace std::chrono_literals;

std::size_t kept(const std::vector<ServiceTime>& times) { return row_counts_worth_having(times); }

TEST(RowCountsTest, KeepsAllUpToTheOneWithTheCheapestRows) {
    EXPECT_EQ(kept({{1, 5ms}, {2, 8ms}, {4, 14ms}, {8, 26ms}, {16, 50ms}}), 5U);
    EXPECT_EQ(kept({{1, 5ms}, {2, 8ms}, {4, 14ms}, {8, 26ms}, {16, 60ms}}), 4U);
    EXPECT_EQ(kept({{1, 17ms}, {2, 30ms}, {4, 68ms}, {8, 136ms}, {16, 272ms}}), 2U);
}

TEST(RowCountsTest, KeepsTheLargestOfThoseThatCostAboutTheSame) {
    EXPECT_EQ(kept({{1, 5ms}, {4, 13ms}, {8, 26ms}, {16, 53ms}}), 4U);
}

TEST(RowCountsTest, KeepsOneWhoseTimingWasDisturbedBelowTheCheapest) {
    EXPECT_EQ(kept({{1, 5ms}, {2, 20ms}, {4, 80ms}, {8, 26ms}}), 4U);
}

TEST(RowCountsTest, KeepsOnlyTheFirstWhereBatchesDoNotPay) {
    EXPECT_EQ(kept({{1, 5ms}}), 1U);
    EXPECT_EQ(kept({{1, 5ms}, {4, 20ms}, {16, 80ms}}), 1U);
    EXPECT_EQ(kept({{1, 100us}, {4, 392us}, {16, 1568us}}), 1U);
}

// A model whose shapes are open so that it could not be run before.
TEST(RowCountsTest, KeepsAllOfWhatWasNotTimed) {
    EXPECT_EQ(kept({{1, 0ms}, {4, 0ms}, {16, 0ms}}), 3U);
}

}  // namespace
}  // namespace lepton::model
