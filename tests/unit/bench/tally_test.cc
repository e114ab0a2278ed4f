#include "tally.h"

#include <gtest/gtest.h>

namespace lepton::bench {
namespace {

using std::chrono::milliseconds;

// Planned and sent at the epoch, due 10 ms later, given up a second later.
Ended ended_after(milliseconds time, std::optional<ErrorCode> error = std::nullopt) {
    const Clock::time_point start{};
    Ended request;
    request.planned = request.sent = start;
    request.ended = start + time;
    request.deadline = start + milliseconds(10);
    request.give_up = request.deadline + milliseconds(1000);
    if (error) request.error = Error{*error, "why"};
    return request;
}

TEST(Tally, AnswersAreInTimeUntilTheDeadlineAndLateAfterIt) {
    EXPECT_EQ(outcome_of(ended_after(milliseconds(10))), Outcome::kInTime);
    EXPECT_EQ(outcome_of(ended_after(milliseconds(11))), Outcome::kLate);
    Ended patient = ended_after(milliseconds(5000));
    patient.deadline = kNoDeadline;
    EXPECT_EQ(outcome_of(patient), Outcome::kInTime);
}

TEST(Tally, NoIsARefusalByTheDeadlineAndExpiryAfterIt) {
    for (const ErrorCode code :
         {ErrorCode::kQueueFull, ErrorCode::kOverloaded, ErrorCode::kDeadlineExceeded}) {
        EXPECT_EQ(outcome_of(ended_after(milliseconds(1), code)), Outcome::kRefused);
        EXPECT_EQ(outcome_of(ended_after(milliseconds(12), code)), Outcome::kExpired);
    }
}

TEST(Tally, ServerThatSaysNothingHasFailed) {
    EXPECT_EQ(outcome_of(ended_after(milliseconds(1010), ErrorCode::kDeadlineExceeded)),
              Outcome::kFailed);
    EXPECT_EQ(outcome_of(ended_after(milliseconds(1), ErrorCode::kUnavailable)), Outcome::kFailed);
    EXPECT_EQ(outcome_of(ended_after(milliseconds(1), ErrorCode::kInternal)), Outcome::kFailed);
}

TEST(Tally, MissesOfAllKindsLowerAttainmentButNotThatOfTheAdmitted) {
    Tally tally;
    for (int i = 0; i < 6; ++i) tally.add(ended_after(milliseconds(5)));
    tally.add(ended_after(milliseconds(20)));
    tally.add(ended_after(milliseconds(1), ErrorCode::kOverloaded));
    tally.add(ended_after(milliseconds(12), ErrorCode::kDeadlineExceeded));
    tally.add(ended_after(milliseconds(1), ErrorCode::kInternal));
    EXPECT_EQ(tally.requests(), 10U);
    EXPECT_EQ(tally.answered(), 7U);
    EXPECT_DOUBLE_EQ(tally.attainment(), 0.6);
    EXPECT_DOUBLE_EQ(tally.attainment_of_admitted(), 6.0 / 8);
    EXPECT_EQ(tally.latency().count(), 7U);
    EXPECT_EQ(tally.refusal().count(), 1U);
    const auto& internal = tally.errors()[static_cast<std::size_t>(ErrorCode::kInternal)];
    EXPECT_EQ(internal.count, 1U);
    EXPECT_EQ(internal.example, "why");
}

TEST(Tally, LatencyCountsFromThePlannedTime) {
    Ended request = ended_after(milliseconds(9));
    request.sent = request.planned + milliseconds(8);
    Tally tally;
    tally.add(request);
    EXPECT_EQ(tally.latency().max(), 9'000'000U);
    EXPECT_EQ(tally.since_sent().max(), 1'000'000U);
}

TEST(Tally, MergedOnesAddUp) {
    Tally one;
    Tally other;
    one.add(ended_after(milliseconds(5)));
    other.add(ended_after(milliseconds(20)));
    other.add(ended_after(milliseconds(1), ErrorCode::kOverloaded));
    one.merge(other);
    EXPECT_EQ(one.requests(), 3U);
    EXPECT_EQ(one.of(Outcome::kLate), 1U);
    EXPECT_EQ(one.latency().count(), 2U);
    EXPECT_EQ(one.errors()[static_cast<std::size_t>(ErrorCode::kOverloaded)].example, "why");
}

}  // namespace
}  // namespace lepton::bench
