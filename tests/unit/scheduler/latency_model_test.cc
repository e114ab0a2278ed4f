#include "lepton/scheduler/latency_model.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "lepton/scheduler/prediction.h"

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Clock::time_point kBegin{1h};
const std::vector<model::ServiceTime> kSeeds{{1, 10ms}, {4, 20ms}, {16, 60ms}};

TEST(LatencyModel, BeginsWithWhatTheWarmUpMeasured) {
    const LatencyModel latency(kSeeds, kBegin);
    EXPECT_EQ(latency.typical(1), 10ms);
    EXPECT_EQ(latency.typical(3), 20ms) << "a run of 3 rows takes the place of 4";
    EXPECT_EQ(latency.typical(40), 180ms) << "three runs of 16";
    EXPECT_EQ(latency.safe(1), 11ms);
}

TEST(LatencyModel, SecondSlowRunRaisesTheSafeTimeAndOneAloneDoesNot) {
    LatencyModel latency(kSeeds, kBegin);
    for (int i = 0; i < 10; ++i) latency.observe(1, 10ms, kBegin + i * 10ms);
    latency.observe(1, 50ms, kBegin + 110ms);
    EXPECT_LT(latency.safe(1), 12ms);
    latency.observe(1, 50ms, kBegin + 160ms);
    EXPECT_EQ(latency.safe(1), 50ms);
}

TEST(LatencyModel, RunsWhoseThreadHadNoProcessorDoNotCount) {
    LatencyModel latency(kSeeds, kBegin);
    for (int i = 0; i < 10; ++i) latency.observe(1, 10ms, kBegin);
    latency.observe(1, 2s, kBegin);
    latency.observe(1, 2s, kBegin);
    EXPECT_LT(latency.safe(1), 12ms);
    EXPECT_LT(latency.typical(1), 12ms);
}

TEST(LatencyModel, MachineThatIsManyTimesSlowerIsBelievedAfterAFewRuns) {
    LatencyModel latency(kSeeds, kBegin);
    for (int i = 0; i < 10; ++i) latency.observe(1, 10ms, kBegin);
    for (int i = 0; i < 4; ++i) latency.observe(1, 100ms, kBegin);
    EXPECT_EQ(latency.safe(1), 100ms);
}

TEST(LatencyModel, EverySixthRunManyTimesSlowerIsBelievedToo) {
    LatencyModel latency(kSeeds, kBegin);
    for (int i = 0; i < 10; ++i) latency.observe(1, 10ms, kBegin);
    for (int i = 0; i < 48; ++i) latency.observe(1, i % 6 == 0 ? 100ms : 10ms, kBegin);
    EXPECT_EQ(latency.safe(1), 100ms);
}

TEST(LatencyModel, SafeTimeFallsOnceTheSlowRunsAreLongAgo) {
    LatencyModel latency(kSeeds, kBegin);
    latency.observe(1, 50ms, kBegin);
    latency.observe(1, 50ms, kBegin);
    for (int i = 0; i < 20; ++i) latency.observe(1, 10ms, kBegin);
    EXPECT_EQ(latency.safe(1), 50ms);
    for (int i = 0; i < 20; ++i) latency.observe(1, 10ms, kBegin);
    EXPECT_LT(latency.safe(1), 12ms);
}

TEST(LatencyModel, MoreRowsNeverTakeLess) {
    LatencyModel latency(kSeeds, kBegin);
    for (int i = 0; i < 100; ++i) latency.observe(1, 70ms, kBegin);
    EXPECT_GE(latency.typical(4), latency.typical(1));
    EXPECT_GE(latency.safe(16), latency.safe(4));
    for (int i = 0; i < 100; ++i) latency.observe(16, 5ms, kBegin);
    EXPECT_LE(latency.typical(1), latency.typical(16));
}

// Requests are refused by an estimate, and what is refused is never measured: without this a
// machine that was slow for a second would refuse for ever.
TEST(LatencyModel, EstimateThatNothingConfirmsFallsToTheLowestMeasured) {
    LatencyModel latency(kSeeds, kBegin);
    for (int i = 0; i < 40; ++i) latency.observe(1, 100ms, kBegin);
    ASSERT_GT(latency.safe(1), 90ms);
    for (int i = 1; i < 20; ++i) latency.pass_to(kBegin + i * 600ms);
    EXPECT_LT(latency.safe(1), 11ms);
}

TEST(LatencyModel, UnconfirmedSizeIsExpectedToBeAsMuchSlowerAsTheConfirmedOne) {
    LatencyModel latency(kSeeds, kBegin);
    for (int i = 0; i < 200; ++i) {
        const auto now = kBegin + i * 30ms;
        latency.observe(1, 30ms, now);
        latency.pass_to(now);
    }
    EXPECT_GT(latency.typical(16), 130ms) << "60 ms where a row takes 10";
    EXPECT_LE(latency.typical(16), 180ms);
}

// The measured case: of a ResNet-50, 16 rows were a little quicker per row at the start and a fifth
// slower ever after, and as single rows never ran, they were thought to be a fifth slower, too.
TEST(LatencyModel, SizeThatBecameSlowByItselfIsNotPreferredForEver) {
    const std::vector<model::ServiceTime> seeds{{1, 36ms}, {16, 520ms}};
    LatencyModel latency(seeds, kBegin);
    ASSERT_EQ(latency.efficient_rows(16), 16);
    Clock::time_point now = kBegin;
    int batches = 0;
    for (; batches < 200 && latency.efficient_rows(16) == 16; ++batches) {
        now += 720ms;
        latency.observe(16, 720ms, now);
        latency.pass_to(now);
    }
    EXPECT_LT(batches, 100);
    // Single rows confirm themselves, and nothing pulls the batches back.
    for (int i = 0; i < 2'000; ++i) {
        now += 36ms;
        latency.observe(1, 36ms, now);
        latency.pass_to(now);
        ASSERT_EQ(latency.efficient_rows(16), 1) << i;
    }
}

TEST(LatencyModel, InstancesThatRunAtTheSameTimeSlowEachOther) {
    LatencyModel latency(kSeeds, kBegin);
    EXPECT_EQ(latency.typical(1, 2), latency.typical(1, 1));
    for (int i = 0; i < 20; ++i) latency.observe(1, 18ms, kBegin, 2);
    EXPECT_NEAR(static_cast<double>(latency.typical(1, 2) / 100us), 180, 2);
    EXPECT_EQ(latency.typical(1, 1), 10ms);
}

// A call that would run beside others is refused by it, so that nothing else would correct it.
TEST(LatencyModel, SlownessBesideOthersIsForgottenUnlessItIsConfirmed) {
    LatencyModel latency(kSeeds, kBegin);
    latency.observe(1, 3s, kBegin, 2);
    EXPECT_LE(latency.typical(1, 2), 40ms) << "more than that is no matter of two instances";
    for (int i = 1; i < 10; ++i) latency.pass_to(kBegin + i * 600ms);
    EXPECT_LT(latency.typical(1, 2), 11ms);
}

TEST(LatencyModel, RowsWithinABudgetAreThoseOfTheLargestRunThatFits) {
    const LatencyModel latency(kSeeds, kBegin);
    EXPECT_EQ(latency.rows_within(5ms, 16), 0);
    EXPECT_EQ(latency.rows_within(15ms, 16), 1);
    EXPECT_EQ(latency.rows_within(30ms, 16), 4);
    EXPECT_EQ(latency.rows_within(30ms, 3), 3);
    EXPECT_EQ(latency.rows_within(1h, 10), 10);
}

TEST(LatencyModel, FewerRowsAreEfficientWherePaddingWouldCostMore) {
    const LatencyModel latency(kSeeds, kBegin);
    EXPECT_EQ(latency.efficient_rows(16), 16);
    EXPECT_EQ(latency.efficient_rows(5), 4) << "5 rows would take the 60 ms of 16";
    EXPECT_EQ(latency.efficient_rows(3), 3) << "20 ms for 3 rows beat 10 ms for each";
    EXPECT_NEAR(latency.capacity(), 16 / 0.060, 1);
}

TEST(LatencyModel, NoNumberOfRowsOverflowsThePrediction) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    const LatencyModel model(kSeeds);
    EXPECT_EQ(model.typical(kMost), kLongestPrediction);
    EXPECT_EQ(model.safe(kMost, 3), kLongestPrediction);
    EXPECT_EQ(model.rows_within(Clock::duration::max(), 1 << 20), 1 << 20);
    const std::vector<model::ServiceTime> quick{{16, 1ns}};
    EXPECT_EQ(LatencyModel::guess(quick, kBegin).rows_within(Clock::duration::max(), kMost), kMost);
}

}  // namespace
}  // namespace lepton::scheduler
