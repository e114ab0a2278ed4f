// Which model gets cores: time is an argument, nothing runs.

#include <array>
#include <stdexcept>

#include <gtest/gtest.h>

#include "lepton/scheduler/core_budget.h"

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Clock::time_point kNow{1h};

Work unhurried(Clock::duration length) { return {.shortest = length, .longest = length}; }
Work due(Clock::duration latest_start, Clock::duration length) {
    return {.latest_start = kNow + latest_start, .shortest = length, .longest = length};
}
// Nothing waits, but calls that can wait for `slack` come every `gap`.
Work expects(Clock::duration slack, Clock::duration gap, Clock::duration length) {
    return {.shortest = length,
            .longest = length,
            .foreseen_slack = slack,
            .foreseen_gap = gap,
            .last_arrival = kNow};
}

// CPU time that each of two models gets of one core while both always want it.
std::array<Clock::duration, 2> share(double weight_a,
                                     Clock::duration a_takes,
                                     double weight_b,
                                     Clock::duration b_takes) {
    CoreBudget budget(1);
    const auto a = budget.add(weight_a, 1);
    const auto b = budget.add(weight_b, 1);
    const std::array takes{a_takes, b_takes};
    std::array<Clock::duration, 2> got{};
    Clock::time_point now = kNow;
    std::size_t last = 0;
    auto run = budget.ask(a, unhurried(a_takes), now).run;
    static_cast<void>(budget.ask(b, unhurried(b_takes), now));
    while (now < kNow + 60s) {
        now += takes.at(last);
        got.at(last) += takes.at(last);
        budget.finish(*run, takes.at(last));
        // Whoever has run asks again first, as its thread does.
        const std::array models{a, b};
        for (const std::size_t next : {last, 1 - last}) {
            run = budget.ask(models.at(next), unhurried(takes.at(next)), now).run;
            last = next;
            if (run) break;
        }
        if (!run) throw std::logic_error("a core is free and nobody gets it");
        static_cast<void>(budget.ask(models.at(last), unhurried(takes.at(last)), now));
    }
    return got;
}

TEST(CoreBudgetTest, RunsGetNoMoreCoresThanThereAre) {
    CoreBudget budget(2);
    const auto a = budget.add(1, 1);
    const auto b = budget.add(1, 1);
    EXPECT_TRUE(budget.ask(a, unhurried(10ms), kNow).run);
    const auto second = budget.ask(b, unhurried(10ms), kNow);
    EXPECT_TRUE(second.run);
    EXPECT_EQ(budget.in_use(), 2);
    EXPECT_FALSE(budget.ask(a, unhurried(10ms), kNow).run);
    budget.finish(*second.run, 10ms);
    EXPECT_TRUE(budget.ask(a, unhurried(10ms), kNow + 10ms).run);
}

TEST(CoreBudgetTest, ModelThatAsksForMoreCoresThanThereAreGetsAll) {
    CoreBudget budget(2);
    EXPECT_TRUE(budget.ask(budget.add(1, 8), unhurried(10ms), kNow).run);
    EXPECT_EQ(budget.in_use(), 2);
}

TEST(CoreBudgetTest, WhoeverWaitsIsNamedWhenCoresAreFreeAgain) {
    CoreBudget budget(1);
    const auto a = budget.add(1, 1);
    const auto b = budget.add(1, 1);
    const auto run = budget.ask(a, unhurried(10ms), kNow).run;
    ASSERT_FALSE(budget.ask(b, unhurried(10ms), kNow).run);
    EXPECT_FALSE(budget.next(kNow));
    budget.finish(*run, 10ms);
    EXPECT_EQ(budget.next(kNow + 10ms), b);
    EXPECT_FALSE(budget.next(kNow + 10ms)) << "it was told already";
    EXPECT_TRUE(budget.ask(b, unhurried(10ms), kNow + 10ms).run);
}

TEST(CoreBudgetTest, ModelThatWantsNoneAnyMoreIsInNobodysWay) {
    CoreBudget budget(1);
    const auto a = budget.add(1, 1);
    const auto b = budget.add(1, 1);
    const auto run = budget.ask(a, unhurried(10ms), kNow).run;
    ASSERT_FALSE(budget.ask(b, unhurried(10ms), kNow).run);
    budget.finish(*run, 10ms);
    ASSERT_EQ(budget.next(kNow + 10ms), b);
    ASSERT_FALSE(budget.ask(a, unhurried(10ms), kNow + 10ms).run) << "it is the other's turn";
    budget.withdraw_named(b);
    EXPECT_EQ(budget.next(kNow + 10ms), a);
}

TEST(CoreBudgetTest, UsualShareIsWhatAModelHadOfWhatItWantedOfLate) {
    CoreBudget budget(1);
    const auto a = budget.add(1, 1);
    const auto b = budget.add(1, 1);
    EXPECT_EQ(budget.usual_share(b, kNow), 1);
    const auto run = budget.ask(a, unhurried(250ms), kNow).run;
    ASSERT_FALSE(budget.ask(b, unhurried(10ms), kNow).run);
    EXPECT_EQ(budget.usual_share(a, kNow + 250ms), 1) << "it wants no more";
    EXPECT_NEAR(budget.usual_share(b, kNow + 250ms), 0.5, 0.01);
    EXPECT_NEAR(budget.usual_share(b, kNow + 500ms), 0.25, 0.01);
    budget.finish(*run, 250ms);
    ASSERT_TRUE(budget.ask(b, unhurried(10ms), kNow + 250ms).run);
    EXPECT_NEAR(budget.usual_share(b, kNow + 250ms), 0.5, 0.01);
    EXPECT_NEAR(budget.usual_share(b, kNow + 500ms), 0.75, 0.01);
}

TEST(CoreBudgetTest, SharesFollowTheWeightsWhateverTheRunsTake) {
    for (const double weight : {1.0, 2.0, 5.0}) {
        for (const Clock::duration takes : {1ms, 20ms, 90ms}) {
            const auto [a, b] = share(1, 20ms, weight, takes);
            EXPECT_NEAR(static_cast<double>(b.count()) / static_cast<double>(a.count()),
                        weight,
                        0.05 * weight)
                << weight << ", " << takes.count();
        }
    }
}

TEST(CoreBudgetTest, OfUrgentModelsTheOneWithLeastLaxityGoesFirst) {
    CoreBudget budget(1);
    const auto a = budget.add(1, 1);
    const auto b = budget.add(1, 1);
    const auto c = budget.add(1, 1);
    const auto run = budget.ask(a, unhurried(10ms), kNow).run;
    ASSERT_FALSE(budget.ask(a, due(50ms, 100ms), kNow).run);
    ASSERT_FALSE(budget.ask(b, due(40ms, 100ms), kNow).run);
    ASSERT_FALSE(budget.ask(c, due(60ms, 100ms), kNow).run);
    budget.finish(*run, 10ms);
    EXPECT_EQ(budget.next(kNow + 10ms), b);
}

TEST(CoreBudgetTest, UrgentModelGoesBeforeOneThatHasUsedLess) {
    CoreBudget budget(1);
    const auto busy = budget.add(1, 1);
    const auto idle = budget.add(1, 1);
    const auto run = budget.ask(busy, unhurried(50ms), kNow).run;
    ASSERT_FALSE(budget.ask(idle, unhurried(20ms), kNow).run);
    ASSERT_FALSE(budget.ask(busy, due(60ms, 5ms), kNow).run);
    budget.finish(*run, 50ms);
    EXPECT_EQ(budget.next(kNow + 50ms), busy) << "20 ms of the other would make it late";
}

TEST(CoreBudgetTest, UrgentModelCannotTakeMoreThanItsShareForEver) {
    CoreBudget budget(1);
    const auto greedy = budget.add(1, 1);
    const auto modest = budget.add(1, 1);
    Clock::time_point now = kNow;
    auto run = budget.ask(greedy, unhurried(20ms), now).run;
    ASSERT_FALSE(budget.ask(modest, unhurried(20ms), now).run);
    int runs = 1;
    while (runs < 1000) {
        now += 20ms;
        budget.finish(*run, 20ms);
        run =
            budget.ask(greedy, {.latest_start = now + 1ms, .shortest = 20ms, .longest = 20ms}, now)
                .run;
        if (!run) break;
        ++runs;
    }
    EXPECT_EQ(budget.next(now), modest);
    EXPECT_LE(runs * 20ms, CoreBudget::kMostAhead + CoreBudget::kSavedUp + 40ms);
}

TEST(CoreBudgetTest, IdlenessIsSavedUpToABound) {
    CoreBudget budget(1);
    const auto busy = budget.add(1, 1);
    const auto idle = budget.add(1, 1);
    Clock::time_point now = kNow;
    for (int i = 0; i < 500; ++i, now += 20ms) {
        budget.finish(*budget.ask(busy, unhurried(20ms), now).run, 20ms);
    }
    auto run = budget.ask(busy, unhurried(20ms), now).run;
    ASSERT_FALSE(budget.ask(idle, unhurried(20ms), now).run);
    Clock::duration caught_up{};
    while (true) {
        now += 20ms;
        budget.finish(*run, 20ms);
        const auto again = budget.ask(busy, unhurried(20ms), now).run;
        if (again) break;
        run = budget.ask(idle, unhurried(20ms), now).run;
        ASSERT_TRUE(run);
        caught_up += 20ms;
        ASSERT_LT(caught_up, 10s);
        // It goes on waiting for the next.
        static_cast<void>(budget.ask(idle, unhurried(20ms), now));
    }
    EXPECT_LE(caught_up, CoreBudget::kSavedUp + 40ms);
}

TEST(CoreBudgetTest, RunEndsBeforeTheLatestStartOfAnotherThatWaits) {
    CoreBudget budget(1);
    const auto large = budget.add(10, 1);
    const auto small = budget.add(0.1, 1);
    const auto run = budget.ask(small, unhurried(10ms), kNow).run;
    ASSERT_FALSE(budget.ask(small, due(60ms, 5ms), kNow).run);
    ASSERT_FALSE(budget.ask(large, {.shortest = 20ms, .longest = 300ms}, kNow).run);
    budget.finish(*run, 10ms);
    const auto grant = budget.ask(large, {.shortest = 20ms, .longest = 300ms}, kNow + 10ms);
    ASSERT_TRUE(grant.run) << "both can be in time";
    EXPECT_EQ(grant.latest_end, kNow + 60ms);
}

TEST(CoreBudgetTest, RunLeavesTimeForCallsThatAreLikelyToCome) {
    CoreBudget budget(1);
    const auto large = budget.add(1, 1);
    const auto small = budget.add(1, 1);
    budget.finish(*budget.ask(small, expects(30ms, 20ms, 5ms), kNow).run, 5ms);
    const auto grant = budget.ask(large, {.shortest = 20ms, .longest = 300ms}, kNow + 5ms);
    ASSERT_TRUE(grant.run);
    EXPECT_EQ(grant.latest_end, kNow + 35ms);
}

TEST(CoreBudgetTest, RunMayBeLongWhenNothingIsLikelyToCome) {
    CoreBudget budget(1);
    const auto large = budget.add(1, 1);
    const auto rare = budget.add(1, 1);
    budget.finish(*budget.ask(rare, expects(30ms, 20ms, 5ms), kNow).run, 5ms);
    const auto later = kNow + 5ms + CoreBudget::kLongestHold;
    EXPECT_EQ(budget.ask(large, {.shortest = 20ms, .longest = 300ms}, later).latest_end,
              kNoDeadline);
}

TEST(CoreBudgetTest, RunMayBeLongWhenAnotherCoreIsFreeForTheCalls) {
    CoreBudget budget(2);
    const auto large = budget.add(1, 1);
    const auto small = budget.add(1, 1);
    budget.finish(*budget.ask(small, expects(30ms, 20ms, 5ms), kNow).run, 5ms);
    const auto grant = budget.ask(large, {.shortest = 20ms, .longest = 300ms}, kNow + 5ms);
    ASSERT_TRUE(grant.run);
    EXPECT_EQ(grant.latest_end, kNoDeadline);
}

TEST(CoreBudgetTest, LastCoreIsKeptFreeOfRunsThatAreTooLongAnyway) {
    CoreBudget budget(2);
    const auto large = budget.add(1, 1);
    const auto small = budget.add(1, 1);
    budget.finish(*budget.ask(small, expects(30ms, 20ms, 5ms), kNow).run, 5ms);
    const auto first = budget.ask(large, unhurried(200ms), kNow + 5ms);
    ASSERT_TRUE(first.run);
    const auto second = budget.ask(large, unhurried(200ms), kNow + 5ms);
    ASSERT_FALSE(second.run);
    EXPECT_EQ(second.ask_again, kNow + 5ms + CoreBudget::kLongestHold);
    EXPECT_TRUE(budget.ask(small, expects(30ms, 20ms, 5ms), kNow + 20ms).run);
}

TEST(CoreBudgetTest, RunThatIsTooLongIsNotHeldBackForEver) {
    CoreBudget budget(2);
    const auto large = budget.add(1, 1);
    const auto small = budget.add(1, 1);
    budget.finish(*budget.ask(small, expects(30ms, 20ms, 5ms), kNow).run, 5ms);
    ASSERT_TRUE(budget.ask(large, unhurried(200ms), kNow + 5ms).run);
    ASSERT_FALSE(budget.ask(large, due(100ms, 200ms), kNow + 5ms).run);
    EXPECT_TRUE(budget.ask(large, due(100ms, 200ms), kNow + 100ms).run) << "its own time has come";
}

TEST(CoreBudgetTest, ModelOfSeveralThreadsIsNotStarvedByThoseOfOne) {
    CoreBudget budget(2);
    const auto wide = budget.add(1, 2);
    const auto narrow = budget.add(1, 1);
    const auto run = budget.ask(narrow, unhurried(10ms), kNow).run;
    ASSERT_FALSE(budget.ask(wide, unhurried(10ms), kNow).run);
    EXPECT_TRUE(budget.ask(narrow, unhurried(5ms), kNow).run) << "done before the cores are free";
    EXPECT_FALSE(budget.ask(narrow, unhurried(20ms), kNow).run);
    budget.finish(*run, 10ms);
    EXPECT_FALSE(budget.ask(narrow, unhurried(20ms), kNow + 4ms).run) << "the other is next";
}

}  // namespace
}  // namespace lepton::scheduler
