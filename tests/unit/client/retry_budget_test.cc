#include "retry_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace lepton::client {
namespace {

TEST(RetryBudget, NewClientMayRetryAtOnce) {
    RetryBudget budget({.tokens_per_call = 0.1, .most_tokens = 3});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.try_spend()) << i;
    EXPECT_FALSE(budget.try_spend());
}

TEST(RetryBudget, ItTakesTenCallsToEarnARetryAtATenth) {
    RetryBudget budget({.tokens_per_call = 0.1, .most_tokens = 1});
    EXPECT_TRUE(budget.try_spend());
    for (int i = 0; i < 9; ++i) budget.on_call();
    EXPECT_FALSE(budget.try_spend());
    budget.on_call();
    EXPECT_TRUE(budget.try_spend());
}

TEST(RetryBudget, QuietTimesAreNotSavedUpBeyondTheBurst) {
    RetryBudget budget({.tokens_per_call = 0.5, .most_tokens = 2});
    for (int i = 0; i < 1000; ++i) budget.on_call();
    EXPECT_DOUBLE_EQ(budget.tokens(), 2);
}

TEST(RetryBudget, BudgetOfNothingNeverRetries) {
    RetryBudget budget({.tokens_per_call = 0, .most_tokens = 0});
    for (int i = 0; i < 100; ++i) budget.on_call();
    EXPECT_FALSE(budget.try_spend());
}

// Holds for any order of calls and attempts to retry, at any time after the start.
TEST(RetryBudget, RetriesNeverExceedBurstPlusShareOfCalls) {
    constexpr RetryBudget::Options kOptions{.tokens_per_call = 0.2, .most_tokens = 10};
    for (unsigned seed = 0; seed < 50; ++seed) {
        std::mt19937 random(seed);
        std::bernoulli_distribution is_call(std::uniform_real_distribution(0.05, 0.95)(random));
        RetryBudget budget(kOptions);
        int calls = 0;
        int retries = 0;
        for (int step = 0; step < 5000; ++step) {
            if (is_call(random)) {
                budget.on_call();
                ++calls;
            } else if (budget.try_spend()) {
                ++retries;
            }
            ASSERT_LE(retries, kOptions.most_tokens + kOptions.tokens_per_call * calls + 1e-6)
                << "seed " << seed << " step " << step;
        }
    }
}

// A naive client makes three attempts at each call of a server that fails everything, so three
// times the load. With the budget it stays near 1.1 times.
TEST(RetryBudget, LoadOnAFailingServerStaysNearOneAndATenth) {
    RetryBudget budget;
    constexpr int kCalls = 10'000;
    int attempts = 0;
    for (int call = 0; call < kCalls; ++call) {
        budget.on_call();
        ++attempts;
        for (int retry = 0; retry < 2 && budget.try_spend(); ++retry) ++attempts;
    }
    EXPECT_LE(attempts, 1.1 * kCalls + 10);
    EXPECT_GE(attempts, 1.09 * kCalls);
}

TEST(RetryBudget, ThreadsTogetherSpendNoMoreThanThereIs) {
    RetryBudget budget({.tokens_per_call = 0.1, .most_tokens = 1000});
    constexpr int kThreads = 4;
    constexpr int kCalls = 20'000;
    std::atomic<int> spent{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([&] {
                for (int call = 0; call < kCalls; ++call) {
                    budget.on_call();
                    if (budget.try_spend()) ++spent;
                }
            });
        }
    }
    EXPECT_LE(spent, 1000 + kThreads * kCalls / 10);
    EXPECT_GE(spent, kThreads * kCalls / 10);
}

}  // namespace
}  // namespace lepton::client
