#include "histogram.h"

#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::bench {
namespace {

TEST(Histogram, SmallValuesAreExact) {
    Histogram histogram;
    for (std::uint64_t i = 1; i <= 100; ++i) histogram.record(i);
    EXPECT_EQ(histogram.count(), 100U);
    EXPECT_EQ(histogram.quantile(0.5), 50U);
    EXPECT_EQ(histogram.quantile(0.99), 99U);
    EXPECT_EQ(histogram.quantile(1), 100U);
    EXPECT_EQ(histogram.max(), 100U);
}

TEST(Histogram, LargeValuesAreWithinATenthOfAPercent) {
    for (std::uint64_t value = 1000; value < 3'600'000'000'000; value = value * 3 / 2 + 7) {
        Histogram histogram;
        histogram.record(value);
        histogram.record(4 * value);  // So that the maximum differs from the bucket.
        const auto measured = static_cast<double>(histogram.quantile(0.5));
        EXPECT_NEAR(measured, static_cast<double>(value), static_cast<double>(value) * 0.001);
    }
}

TEST(Histogram, MergedOnesCountAsIfAllWasRecordedInOne) {
    Histogram one;
    Histogram other;
    Histogram both;
    for (std::uint64_t value = 1; value < 1'000'000'000; value = value * 5 / 3 + 1) {
        (value % 2 == 0 ? one : other).record(value);
        both.record(value);
    }
    one.merge(other);
    EXPECT_EQ(one.count(), both.count());
    EXPECT_EQ(one.max(), both.max());
    EXPECT_DOUBLE_EQ(one.mean(), both.mean());
    for (const double fraction : {0.01, 0.5, 0.9, 0.999}) {
        EXPECT_EQ(one.quantile(fraction), both.quantile(fraction));
    }
}

TEST(Histogram, BucketsAreThoseOfHdrHistogram) {
    // HdrHistogram's countsArrayIndex() for three digits: a bucket for each value up to 2047, then
    // 1024 for each power of two.
    Histogram histogram;
    for (const std::uint64_t value : {0UL, 2047UL, 2048UL, 2049UL, 2050UL, 1'000'000UL}) {
        histogram.record(value);
    }
    std::vector<std::pair<std::uint64_t, std::uint64_t>> buckets;
    histogram.each(
        [&](std::uint64_t highest, std::uint64_t count) { buckets.emplace_back(highest, count); });
    const std::vector<std::pair<std::uint64_t, std::uint64_t>> expected{
        {0, 1}, {2047, 1}, {2049, 2}, {2051, 1}, {1'000'447, 1}};
    EXPECT_EQ(buckets, expected);
}

TEST(Histogram, ClearForgetsEverything) {
    Histogram histogram;
    histogram.record(7);
    histogram.clear();
    EXPECT_EQ(histogram.count(), 0U);
    EXPECT_EQ(histogram.max(), 0U);
    EXPECT_EQ(histogram.quantile(0.5), 0U);
}

}  // namespace
}  // namespace lepton::bench
