#include "hedge_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace lepton::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

HedgePolicy::Options enabled() {
    HedgePolicy::Options options;
    options.enabled = true;
    return options;
}

void learn(HedgePolicy& policy, Clock::duration latency, int count = 1000) {
    for (int i = 0; i < count; ++i) policy.record(latency);
}

TEST(HedgePolicy, IsOffUnlessAskedFor) {
    HedgePolicy policy;
    learn(policy, milliseconds(1));
    EXPECT_FALSE(policy.delay(true));
}

TEST(HedgePolicy, DoesNotHedgeBeforeItKnowsWhatIsSlow) {
    HedgePolicy policy(enabled());
    learn(policy, milliseconds(1), 99);
    EXPECT_FALSE(policy.delay(true));
    policy.record(milliseconds(1));
    EXPECT_TRUE(policy.delay(true));
}

TEST(HedgePolicy, NeedsAnotherEndpointUnlessTheSameIsAllowed) {
    HedgePolicy::Options options = enabled();
    HedgePolicy strict(options);
    options.same_endpoint = true;
    HedgePolicy lenient(options);
    learn(strict, milliseconds(1));
    learn(lenient, milliseconds(1));
    EXPECT_FALSE(strict.delay(false));
    EXPECT_TRUE(lenient.delay(false));
}

TEST(HedgePolicy, WaitsForTheMeasuredQuantile) {
    HedgePolicy policy(enabled());
    for (int i = 1; i <= 1000; ++i) policy.record(microseconds(10 * i));
    ASSERT_TRUE(policy.delay(true));
    EXPECT_GE(*policy.delay(true), microseconds(9400));
    EXPECT_LE(*policy.delay(true), microseconds(9500) * 9 / 8);
}

TEST(HedgePolicy, NeverWaitsLessThanTheLeastDelay) {
    HedgePolicy::Options options = enabled();
    options.min_delay = milliseconds(3);
    HedgePolicy policy(options);
    learn(policy, microseconds(50));
    EXPECT_EQ(policy.delay(true), milliseconds(3));
}

// When everything becomes slow at once, all calls pass the delay: the budget keeps the hedges from
// doubling the load of servers that have just become overloaded.
TEST(HedgePolicy, ServersThatAllSlowDownAreNotSentTwiceAsMuch) {
    HedgePolicy policy(enabled());
    learn(policy, milliseconds(1));
    int hedges = 0;
    constexpr int kCalls = 10'000;
    for (int call = 0; call < kCalls; ++call) {
        const auto delay = policy.delay(true);
        ASSERT_TRUE(delay);
        const Clock::duration first = milliseconds(1000);
        if (first > *delay && policy.try_hedge()) ++hedges;
        policy.record(std::min(first, *delay * 2));
    }
    EXPECT_LE(hedges, 0.05 * kCalls + 5);
}

// One of a hundred first attempts hangs for 50 ms; a hedge takes 1 ms more.
TEST(HedgePolicy, CutsTheTailOfAnOccasionalStallForAFewPercentOfLoad) {
    HedgePolicy policy(enabled());
    std::mt19937 random(7);
    std::bernoulli_distribution stalls(0.01);
    std::lognormal_distribution<double> usual_us(6.9, 0.2);  // About 1 ms.
    const auto usual = [&] { return microseconds(static_cast<int>(usual_us(random))); };
    std::vector<Clock::duration> latencies;
    int hedges = 0;
    constexpr int kCalls = 20'000;
    for (int call = 0; call < kCalls; ++call) {
        const auto delay = policy.delay(true);
        const Clock::duration first = stalls(random) ? milliseconds(50) : Clock::duration(usual());
        Clock::duration answered = first;
        Clock::duration age = first;
        if (delay && first > *delay && policy.try_hedge()) {
            ++hedges;
            answered = std::min(first, *delay + Clock::duration(usual()));
            age = answered;
        }
        policy.record(age);
        latencies.push_back(answered);
    }
    std::ranges::sort(latencies);
    EXPECT_LT(latencies[kCalls * 995 / 1000], milliseconds(5));
    EXPECT_LE(hedges, 0.05 * kCalls + 5);
    EXPECT_GE(hedges, 0.01 * kCalls);
}

}  // namespace
}  // namespace lepton::client
