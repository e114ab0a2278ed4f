#include "arrivals.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<double> times_of(const Arrivals::Options& options, std::size_t count) {
    Arrivals arrivals(options);
    std::vector<double> times;
    times.reserve(count);
    while (times.size() < count) {
        const auto arrival = arrivals.next();
        if (!arrival) break;
        times.push_back(std::chrono::duration<double>(arrival->at).count());
    }
    return times;
}

// Variance of the counts in windows, over their mean: 1 for Poisson.
double dispersion(const std::vector<double>& times, double window) {
    std::vector<double> counts(static_cast<std::size_t>(times.back() / window));
    for (const double time : times) {
        const auto index = static_cast<std::size_t>(time / window);
        if (index < counts.size()) ++counts[index];
    }
    double mean = 0;
    for (const double count : counts) mean += count / static_cast<double>(counts.size());
    double variance = 0;
    for (const double count : counts) {
        variance += (count - mean) * (count - mean) / static_cast<double>(counts.size());
    }
    return variance / mean;
}

TEST(Arrivals, EachPatternKeepsItsMeanRate) {
    for (const Pattern pattern : {Pattern::kPoisson, Pattern::kUniform, Pattern::kBursty}) {
        const auto times = times_of(
            {.pattern = pattern, .rate = 1000, .burst_lasts = milliseconds(50), .trace = {}},
            200'000);
        EXPECT_NEAR(static_cast<double>(times.size()) / times.back(), 1000, 40)
            << to_string(pattern);
    }
}

TEST(Arrivals, SpreadIsThatOfThePattern) {
    const auto spread = [](Pattern pattern) {
        return dispersion(
            times_of(
                {.pattern = pattern, .rate = 1000, .burst_lasts = milliseconds(200), .trace = {}},
                100'000),
            0.1);
    };
    EXPECT_LT(spread(Pattern::kUniform), 0.1);
    EXPECT_NEAR(spread(Pattern::kPoisson), 1, 0.2);
    EXPECT_GT(spread(Pattern::kBursty), 5);
}

TEST(Arrivals, SameSeedGivesTheSameTimesStretchedByTheRate) {
    for (const Pattern pattern : {Pattern::kPoisson, Pattern::kUniform}) {
        const auto slow = times_of({.pattern = pattern, .rate = 10, .seed = 7, .trace = {}}, 1000);
        const auto fast = times_of({.pattern = pattern, .rate = 20, .seed = 7, .trace = {}}, 1000);
        for (std::size_t i = 0; i < slow.size(); ++i) EXPECT_NEAR(slow[i], 2 * fast[i], 1e-6);
    }
    const auto one = times_of({.rate = 10, .seed = 1, .trace = {}}, 10);
    const auto other = times_of({.rate = 10, .seed = 2, .trace = {}}, 10);
    EXPECT_NE(one, other);
}

TEST(Arrivals, ReplayHasTheTimesAndClassesOfItsTraceAndThenEnds) {
    Arrivals arrivals(
        {.pattern = Pattern::kReplay, .trace = {{milliseconds(5), ""}, {milliseconds(9), "fast"}}});
    const auto first = arrivals.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->at, milliseconds(5));
    EXPECT_EQ(first->load_class, nullptr);
    const auto second = arrivals.next();
    ASSERT_TRUE(second);
    EXPECT_EQ(*second->load_class, "fast");
    EXPECT_FALSE(arrivals.next());
}

TEST(Arrivals, ReplayAtARateIsStretchedToIt) {
    const std::vector<TraceEntry> trace{{seconds(1), ""}, {seconds(2), ""}};
    const auto times = times_of({.pattern = Pattern::kReplay, .rate = 10, .trace = trace}, 2);
    EXPECT_NEAR(times[0], 0.1, 1e-6);
    EXPECT_NEAR(times[1], 0.2, 1e-6);
}

}  // namespace
}  // namespace lepton::bench
