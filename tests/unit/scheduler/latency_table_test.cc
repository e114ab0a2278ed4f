#include "lepton/scheduler/latency_table.h"

#include <vector>

#include <gtest/gtest.h>

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Clock::time_point kBegin{1h};
const std::vector<model::ServiceTime> kSeeds{{1, 10ms}, {4, 20ms}};

TEST(LatencyTable, ModelOfOneSizeBeginsWithWhatTheWarmUpMeasured) {
    LatencyTable table(kSeeds, 4, kBegin);
    EXPECT_EQ(table.last().typical(1), 10ms);
    LatencyModel& latency = table.of(512, kBegin);
    EXPECT_EQ(latency.typical(4), 20ms);
    EXPECT_EQ(latency.safe(1), 11ms) << "measured, so that a margin is in place";
    EXPECT_EQ(&table.of(512, kBegin), &latency);
}

TEST(LatencyTable, SizesLearnApart) {
    LatencyTable table(kSeeds, 4, kBegin);
    LatencyModel& small = table.of(512, kBegin);
    LatencyModel& large = table.of(4096, kBegin);
    ASSERT_NE(&small, &large);
    large.observe(1, 80ms, kBegin);
    EXPECT_EQ(table.of(4096, kBegin).typical(1), 80ms);
    EXPECT_EQ(table.of(512, kBegin).typical(1), 10ms);
    EXPECT_EQ(&table.slowest(), &large);
}

TEST(LatencyTable, AlmostEqualSizesShareWhatIsLearned) {
    LatencyTable table(kSeeds, 4, kBegin);
    EXPECT_EQ(&table.of(1000, kBegin), &table.of(1010, kBegin));
    EXPECT_NE(&table.of(1000, kBegin), &table.of(1300, kBegin));
}

TEST(LatencyTable, NewSizeIsThoughtRatherTooQuickThanTooSlow) {
    LatencyTable table(kSeeds, 4, kBegin);
    for (int i = 0; i < 40; ++i) table.of(4096, kBegin).observe(1, 40ms, kBegin);
    const Clock::duration larger = table.of(1 << 20, kBegin).safe(1);
    EXPECT_GE(larger, 39ms);
    EXPECT_LE(larger, 40ms) << "as the nearest smaller one";
    const Clock::duration quarter = table.of(1024, kBegin).safe(1);
    EXPECT_GE(quarter, 9ms);
    EXPECT_LE(quarter, 11ms) << "in proportion of the nearest larger one";
}

TEST(LatencyTable, FirstRunOfANewSizeReplacesTheGuess) {
    LatencyTable table(kSeeds, 4, kBegin);
    table.of(512, kBegin).observe(1, 10ms, kBegin);
    LatencyModel& large = table.of(1 << 20, kBegin);
    large.observe(1, 900ms, kBegin);
    EXPECT_EQ(large.typical(1), 900ms);
    EXPECT_GE(large.typical(4), 900ms);
}

TEST(LatencyTable, NewSizeBeginsBetweenItsNeighbours) {
    LatencyTable table(kSeeds, 4, kBegin);
    for (int i = 0; i < 40; ++i) {
        table.of(1 << 10, kBegin).observe(1, 1ms, kBegin);
        table.of(1 << 20, kBegin).observe(1, 101ms, kBegin);
    }
    const Clock::duration half = table.of(1 << 19, kBegin).safe(1);
    EXPECT_GE(half, 49ms);
    EXPECT_LE(half, 52ms);
}

TEST(LatencyTable, GuessThatRefusesWhatWouldMeasureItIsHalvedUntilOneIsTried) {
    const std::vector<model::ServiceTime> one{{1, 10ms}};
    LatencyTable table(one, 16, kBegin);
    LatencyModel& latency = table.of(512, kBegin);
    ASSERT_EQ(latency.safe(20 * 16), 3200ms);
    latency.doubt(20 * 16);
    EXPECT_EQ(latency.safe(20 * 16), 1600ms);
    latency.doubt(16);
    EXPECT_EQ(latency.safe(16), 40ms);
    EXPECT_EQ(latency.safe(8), 40ms) << "more rows never take less";
    EXPECT_EQ(latency.safe(1), 10ms);
    latency.observe(16, 120ms, kBegin);
    EXPECT_EQ(latency.safe(16), 120ms);
    latency.doubt(16);
    EXPECT_EQ(latency.safe(16), 120ms) << "measured, it is no guess any more";
}

TEST(LatencyTable, SeedsOfAnotherSizeAreAGuess) {
    LatencyTable table(kSeeds, 4, kBegin, true);
    LatencyModel& latency = table.of(512, kBegin);
    EXPECT_EQ(latency.safe(1), 10ms);
    latency.observe(1, 1ms, kBegin);
    EXPECT_EQ(latency.safe(1), 1ms);
}

TEST(LatencyTable, BatchesThatCouldNotBeMeasuredBeginInProportionAndAreLearned) {
    const std::vector<model::ServiceTime> one{{1, 10ms}};
    LatencyTable table(one, 12, kBegin);
    LatencyModel& latency = table.of(512, kBegin);
    EXPECT_EQ(latency.typical(8), 80ms);
    EXPECT_EQ(latency.typical(12), 120ms);
    latency.observe(8, 30ms, kBegin);
    EXPECT_EQ(latency.typical(8), 30ms);
    EXPECT_LE(latency.typical(4), 30ms);
}

}  // namespace
}  // namespace lepton::scheduler
