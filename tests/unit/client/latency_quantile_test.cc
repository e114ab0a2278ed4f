#include "latency_quantile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

namespace lepton::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

double micros(Clock::duration duration) {
    return static_cast<double>(nanoseconds(duration).count()) / 1e3;
}

TEST(LatencyQuantile, NothingIsKnownBeforeEnoughSamples) {
    LatencyQuantile quantile(0.95, 10);
    for (int i = 0; i < 9; ++i) quantile.record(milliseconds(1));
    EXPECT_FALSE(quantile.value());
    quantile.record(milliseconds(1));
    ASSERT_TRUE(quantile.value());
    EXPECT_GE(*quantile.value(), milliseconds(1));
    EXPECT_LE(*quantile.value(), microseconds(1125));
}

TEST(LatencyQuantile, EveryLatencyIsReportedAtMostAnEighthTooHigh) {
    for (double ns = 1024; ns < 6e10; ns *= 1.03) {
        LatencyQuantile quantile(0.5, 1);
        const nanoseconds latency(std::llround(ns));
        quantile.record(latency);
        ASSERT_TRUE(quantile.value());
        EXPECT_GT(*quantile.value(), latency);
        EXPECT_LE(micros(*quantile.value()), micros(latency) * 1.125 + 0.001);
    }
}

TEST(LatencyQuantile, LatenciesOutsideTheRangeCountAsItsEdges) {
    LatencyQuantile quantile(0.5, 1);
    quantile.record(Clock::duration(-5));
    EXPECT_EQ(quantile.value(), nanoseconds(1152));
    LatencyQuantile high(0.5, 1);
    high.record(Clock::duration::max());
    EXPECT_EQ(high.value(), nanoseconds(std::int64_t{1} << 36));
}

TEST(LatencyQuantile, AgreesWithSortingForManyDistributions) {
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        std::lognormal_distribution<double> latency_us(6, 0.2 + 0.05 * seed);
        LatencyQuantile quantile(0.95, 100);
        std::vector<double> seen;
        for (std::uint32_t i = 0; i < LatencyQuantile::kFull - 64; ++i) {
            const nanoseconds latency(std::llround(latency_us(random) * 1e3));
            quantile.record(latency);
            seen.push_back(micros(latency));
        }
        std::ranges::sort(seen);
        const double exact = seen[seen.size() * 95 / 100];
        EXPECT_GE(micros(*quantile.value()), exact * 0.98) << seed;
        EXPECT_LE(micros(*quantile.value()), exact * 1.15) << seed;
    }
}

TEST(LatencyQuantile, OldLatenciesFade) {
    LatencyQuantile quantile(0.95, 100);
    for (std::uint32_t i = 0; i < 100 * LatencyQuantile::kFull; ++i)
        quantile.record(milliseconds(8));
    EXPECT_GE(*quantile.value(), milliseconds(8));
    // However long it was slow before, it is known to be fast after a few windows.
    for (std::uint32_t i = 0; i < 4 * LatencyQuantile::kFull; ++i) quantile.record(milliseconds(1));
    EXPECT_LE(*quantile.value(), microseconds(1125));
}

TEST(LatencyQuantile, RisesWithinAFractionOfAWindow) {
    LatencyQuantile quantile(0.95, 100);
    for (std::uint32_t i = 0; i < 10 * LatencyQuantile::kFull; ++i) {
        quantile.record(milliseconds(1));
    }
    for (std::uint32_t i = 0; i < LatencyQuantile::kFull / 8; ++i) quantile.record(milliseconds(9));
    EXPECT_GE(*quantile.value(), milliseconds(9));
}

TEST(LatencyQuantile, ThreadsTogetherLoseNothing) {
    LatencyQuantile quantile(0.5, 1);
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < 50'000; ++i) quantile.record(milliseconds(t < 3 ? 1 : 4));
            });
        }
    }
    // Three quarters were fast. If halving by several threads at once had lost counts or wrapped
    // around, the median could be anywhere.
    EXPECT_GE(*quantile.value(), milliseconds(1));
    EXPECT_LE(*quantile.value(), microseconds(4500));
    for (std::uint32_t i = 0; i < 2 * LatencyQuantile::kFull; ++i) quantile.record(milliseconds(2));
    EXPECT_LE(*quantile.value(), microseconds(2250));
}

}  // namespace
}  // namespace lepton::client
