#include "histogram.h"

#include <cstdint>

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
        histogram.record(4 * value);  // So that the maximum does not stand in for the bucket.
        const auto measured = static_cast<double>(histogram.quantile(0.5));
        EXPECT_NEAR(measured, static_cast<double>(value), static_cast<double>(value) * 0.001);
    }
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
