#include "endpoint_chooser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace lepton::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Clock::time_point kNow{std::chrono::hours(1)};

class EndpointChooserTest : public ::testing::Test {
protected:
    std::size_t choose(EndpointChooser& chooser,
                       Clock::time_point now = kNow,
                       std::optional<std::size_t> avoid = std::nullopt) {
        return chooser.choose(random_(), now, avoid);
    }
    std::set<std::size_t> reached(EndpointChooser& chooser,
                                  Clock::time_point now = kNow,
                                  std::optional<std::size_t> avoid = std::nullopt) {
        std::set<std::size_t> seen;
        for (int i = 0; i < 500; ++i) seen.insert(choose(chooser, now, avoid));
        return seen;
    }
    static void eject(EndpointChooser& chooser, std::size_t endpoint) {
        for (int i = 0; i < 2; ++i) chooser.connect_failed(endpoint, kNow);
    }

    std::mt19937_64 random_{42};
};

using Set = std::set<std::size_t>;

TEST_F(EndpointChooserTest, OnlyEndpointIsAlwaysChosen) {
    EndpointChooser chooser(1);
    eject(chooser, 0);
    EXPECT_EQ(choose(chooser), 0);
    EXPECT_EQ(choose(chooser, kNow, 0), 0);
}

TEST_F(EndpointChooserTest, IdleEndpointsAreChosenEquallyOften) {
    EndpointChooser chooser(5);
    std::vector<int> chosen(5);
    for (int i = 0; i < 50'000; ++i) ++chosen[choose(chooser)];
    for (const int count : chosen) EXPECT_NEAR(count, 10'000, 500);
}

TEST_F(EndpointChooserTest, OfTwoTheOneWithFewerCallsInFlightIsChosen) {
    EndpointChooser chooser(2);
    chooser.begin(0);
    EXPECT_EQ(reached(chooser), Set{1});
    chooser.begin(1);
    EXPECT_EQ(reached(chooser), (Set{0, 1}));
    chooser.end(0);
    EXPECT_EQ(reached(chooser), Set{0});
}

// Balls into bins: 1000 calls that do not end, on 1000 endpoints. One random draw leaves about log
// n / log log n = 3.6 (in practice 5 to 7) on the fullest; two draws log log n / log 2 + O(1).
TEST_F(EndpointChooserTest, FullestEndpointHoldsFarFewerCallsThanWithRandomChoice) {
    constexpr std::size_t kEndpoints = 1000;
    std::int32_t most_of_two = 0;
    int most_of_one = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
        EndpointChooser chooser(kEndpoints);
        std::vector<int> random_load(kEndpoints);
        for (std::size_t call = 0; call < kEndpoints; ++call) {
            chooser.begin(choose(chooser));
            ++random_load[random_() % kEndpoints];
        }
        for (std::size_t i = 0; i < kEndpoints; ++i) {
            most_of_two = std::max(most_of_two, chooser.in_flight(i));
        }
        most_of_one = std::max(most_of_one, *std::ranges::max_element(random_load));
    }
    EXPECT_LE(most_of_two, 4);
    EXPECT_GE(most_of_one, most_of_two + 2);
}

// In a closed loop each endpoint ends one call per turn. The slow one, which ends one in four
// turns, does not collect the calls.
TEST_F(EndpointChooserTest, SlowEndpointGetsLess) {
    EndpointChooser chooser(4);
    std::vector<int> given(4);
    for (int turn = 0; turn < 4000; ++turn) {
        for (int i = 0; i < 3; ++i) {
            const std::size_t endpoint = choose(chooser);
            chooser.begin(endpoint);
            ++given[endpoint];
        }
        for (std::size_t i = 0; i < 4; ++i) {
            const bool ends = i != 0 || turn % 4 == 0;
            if (ends && chooser.in_flight(i) > 0) chooser.end(i);
        }
    }
    EXPECT_LT(given[0], given[1] / 2);
    EXPECT_LT(chooser.in_flight(0), 10);
}

TEST_F(EndpointChooserTest, EndpointTriedBeforeIsAvoided) {
    EndpointChooser chooser(3);
    EXPECT_EQ(reached(chooser, kNow, 1), (Set{0, 2}));
    eject(chooser, 0);
    EXPECT_EQ(reached(chooser, kNow, 1), Set{2});
}

TEST_F(EndpointChooserTest, EndpointTriedBeforeIsBetterThanOneThatCannotBeReached) {
    EndpointChooser chooser(2);
    eject(chooser, 0);
    EXPECT_EQ(reached(chooser, kNow, 1), Set{1});
}

TEST_F(EndpointChooserTest, OneFailureToConnectDoesNotEject) {
    EndpointChooser chooser(2);
    chooser.connect_failed(0, kNow);
    chooser.connected(0);
    chooser.connect_failed(0, kNow);
    EXPECT_FALSE(chooser.ejected(0));
    chooser.connect_failed(0, kNow);
    EXPECT_TRUE(chooser.ejected(0));
    EXPECT_EQ(reached(chooser), Set{1});
}

TEST_F(EndpointChooserTest, EjectedEndpointIsProbedByOneCallOnceItsTimeIsUp) {
    EndpointChooser chooser(3);
    eject(chooser, 0);
    const auto due = kNow + milliseconds(100);
    EXPECT_EQ(reached(chooser, due - milliseconds(1)), (Set{1, 2}));
    EXPECT_EQ(choose(chooser, due), 0);
    EXPECT_EQ(reached(chooser, due), (Set{1, 2}));
    chooser.connected(0);
    EXPECT_EQ(reached(chooser, due), (Set{0, 1, 2}));
}

TEST_F(EndpointChooserTest, EachFailedProbeDoublesTheTimeUpToTheMost) {
    EndpointChooser chooser(2,
                            {.failures_to_eject = 1,
                             .first_ejection = milliseconds(100),
                             .most_ejection = milliseconds(500)});
    chooser.connect_failed(0, kNow);
    auto now = kNow;
    for (const int expected : {100, 200, 400, 500, 500}) {
        now += milliseconds(expected - 1);
        EXPECT_EQ(reached(chooser, now), Set{1}) << expected;
        now += milliseconds(1);
        EXPECT_EQ(choose(chooser, now), 0) << expected;
        chooser.connect_failed(0, now);
    }
}

TEST_F(EndpointChooserTest, RecoveryForgetsEarlierEjections) {
    EndpointChooser chooser(2);
    eject(chooser, 0);
    auto now = kNow + milliseconds(100);
    EXPECT_EQ(choose(chooser, now), 0);
    chooser.connected(0);
    for (int i = 0; i < 2; ++i) chooser.connect_failed(0, now);
    EXPECT_EQ(reached(chooser, now + milliseconds(99)), Set{1});
    EXPECT_EQ(choose(chooser, now + milliseconds(100)), 0);
}

TEST_F(EndpointChooserTest, ManyCallsThatFailTogetherEjectForTheFirstTimeOnly) {
    EndpointChooser chooser(2);
    for (int i = 0; i < 100; ++i) chooser.connect_failed(0, kNow);
    EXPECT_EQ(choose(chooser, kNow + milliseconds(100)), 0);
}

TEST_F(EndpointChooserTest, EjectedEndpointIsNoOtherToTurnTo) {
    EXPECT_FALSE(EndpointChooser(1).has_other(0));
    EndpointChooser chooser(3);
    eject(chooser, 0);
    EXPECT_TRUE(chooser.has_other(1));
    eject(chooser, 2);
    EXPECT_FALSE(chooser.has_other(1));
    EXPECT_TRUE(chooser.has_other(0));
}

TEST_F(EndpointChooserTest, WhenAllAreEjectedTheFirstDueIsTried) {
    EndpointChooser chooser(3);
    for (const std::size_t endpoint : {2, 0, 1}) {
        for (int i = 0; i < 2; ++i) {
            chooser.connect_failed(endpoint, kNow + milliseconds(endpoint == 2 ? 0 : 10));
        }
    }
    EXPECT_EQ(reached(chooser, kNow + milliseconds(20)), Set{2});
    EXPECT_NE(choose(chooser, kNow + milliseconds(20), 2), 2);
}

}  // namespace
}  // namespace lepton::client
