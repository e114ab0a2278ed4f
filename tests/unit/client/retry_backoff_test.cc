#include "retry_backoff.h"

#include <gtest/gtest.h>

#include <random>

namespace lepton::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Clock::time_point kNow{std::chrono::hours(1)};
constexpr RetryBackoff kBackoff{.first = milliseconds(10), .most = milliseconds(100)};

Clock::duration wait(int retry, double uniform) {
    return *kBackoff.next(retry, uniform, kNow, kNoDeadline, std::nullopt) - kNow;
}

TEST(RetryBackoff, BoundDoublesUpToTheMost) {
    EXPECT_EQ(wait(0, 0.5), milliseconds(5));
    EXPECT_EQ(wait(1, 0.5), milliseconds(10));
    EXPECT_EQ(wait(2, 0.5), milliseconds(20));
    EXPECT_EQ(wait(4, 0.5), milliseconds(50));
    EXPECT_EQ(wait(1'000'000, 0.5), milliseconds(50));
}

TEST(RetryBackoff, JitterReachesDownToNothing) {
    for (int retry = 0; retry < 10; ++retry) EXPECT_EQ(wait(retry, 0), milliseconds(0));
}

TEST(RetryBackoff, WaitIsWithinItsBoundForEveryDraw) {
    std::mt19937 random(1);
    std::uniform_real_distribution<double> uniform;
    for (int i = 0; i < 10'000; ++i) {
        const Clock::duration waited = wait(i % 20, uniform(random));
        ASSERT_GE(waited, milliseconds(0));
        ASSERT_LT(waited, kBackoff.most);
    }
}

TEST(RetryBackoff, ServersRetryAfterIsTheLeastWait) {
    EXPECT_EQ(kBackoff.next(0, 0.5, kNow, kNoDeadline, seconds(2)), kNow + seconds(2));
    EXPECT_EQ(kBackoff.next(0, 0.5, kNow, kNoDeadline, milliseconds(1)), kNow + milliseconds(5));
}

TEST(RetryBackoff, NoRetryThatWouldBeginAtTheDeadlineOrLater) {
    EXPECT_TRUE(kBackoff.next(0, 0.5, kNow, kNow + milliseconds(6), std::nullopt));
    EXPECT_FALSE(kBackoff.next(0, 0.5, kNow, kNow + milliseconds(5), std::nullopt));
    EXPECT_FALSE(kBackoff.next(0, 0, kNow, kNow - seconds(1), std::nullopt));
    EXPECT_FALSE(kBackoff.next(0, 0, kNow, kNow + seconds(1), seconds(1)));
}

TEST(RetryBackoff, AbsurdRetryAfterDoesNotOverflow) {
    EXPECT_FALSE(kBackoff.next(0, 0, kNow, kNoDeadline, Clock::duration::max()));
    EXPECT_EQ(kBackoff.next(0, 0, kNow, kNoDeadline, Clock::duration::min()), kNow);
}

}  // namespace
}  // namespace lepton::client
