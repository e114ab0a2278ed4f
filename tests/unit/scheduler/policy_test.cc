#include "lepton/scheduler/policy.h"

#include <memory>
#include <vector>

#include <gmock/gmock.h>

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Clock::time_point kBegin{1h};
const std::vector<model::ServiceTime> kSeeds{{1, 10ms}, {4, 20ms}, {16, 60ms}};

class PolicyTest : public testing::Test {
protected:
    void start(const model::QueueOptions& options = {}, std::int64_t max_rows = 16) {
        policy_ = make_policy(options, max_rows, kSeeds, kBegin);
    }
    struct Wish {
        Clock::duration timeout = Clock::duration::max();
        std::uint32_t priority = 0;
        std::int64_t rows = 1;
        std::uint64_t shape_class = 0;
        std::size_t row_bytes = 0;
        std::uint64_t client = 0;
    };
    Result<> ask(const Wish& wish) {
        calls_.push_back(std::make_unique<InferCall>());
        InferCall& call = *calls_.back();
        if (wish.timeout != Clock::duration::max()) call.request.deadline = now_ + wish.timeout;
        call.request.priority = wish.priority;
        call.rows = wish.rows;
        call.shape_class = wish.shape_class;
        call.row_bytes = wish.row_bytes;
        call.client = wish.client;
        return policy_->admit(call, moment(), refused_);
    }
    Moment moment() { return {.now = now_, .free_at = free_at_, .share = share_}; }
    LatencyModel& latency() { return policy_->latency_of(InferCall(), now_); }
    // Numbers, in order of arrival, of the calls that an idle instance is given.
    std::vector<std::size_t> next_batch() {
        std::vector<InferCall*> batch;
        look_at_ = policy_->next_batch(moment(), batch, refused_);
        std::vector<std::size_t> numbers;
        numbers.reserve(batch.size());
        for (const InferCall* call : batch) numbers.push_back(number_of(call));
        return numbers;
    }
    std::vector<std::size_t> refused() {
        std::vector<std::size_t> numbers;
        for (const Refused& one : refused_) numbers.push_back(number_of(one.call));
        return numbers;
    }
    std::size_t number_of(const InferCall* call) {
        std::size_t number = 0;
        while (calls_[number].get() != call) ++number;
        return number;
    }
    void instance_is_busy_until(Clock::time_point then) { free_at_ = {then}; }
    void instance_is_idle() { free_at_ = {now_}; }

    std::unique_ptr<Policy> policy_;
    std::vector<std::unique_ptr<InferCall>> calls_;
    std::vector<Refused> refused_;
    Clock::time_point now_ = kBegin;
    Clock::time_point look_at_;
    std::vector<Clock::time_point> free_at_{kBegin};
    double share_ = 1;
};

TEST_F(PolicyTest, DeadlineThatTheModelAloneWouldMissIsRefusedAtOnce) {
    start();
    const Result<> answer = ask({.timeout = 9ms});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(answer.error().message,
              "deadline cannot be met: 9.00 ms are left, the model needs about 11.00 ms");
    EXPECT_EQ(ask({.timeout = -1us}).error().message,
              "deadline already passed (the model needs about 11.00 ms)");
    EXPECT_TRUE(policy_->empty());
}

// Ten runs of 16 rows, of which nothing but the warm-up is known: 660 ms.
TEST_F(PolicyTest, ManyRowsThatWereNotRunAreTriedNowAndThen) {
    start();
    EXPECT_FALSE(ask({.timeout = 160ms, .rows = 160}));  // Beyond what may be wrong.
    ASSERT_TRUE(ask({.timeout = 200ms, .rows = 160}));
    EXPECT_THAT(next_batch(), ElementsAre(1));
    EXPECT_FALSE(ask({.timeout = 200ms, .rows = 160}));
    now_ += 9s;
    instance_is_idle();
    EXPECT_FALSE(ask({.timeout = 200ms, .rows = 160}));
    now_ += 1s;
    instance_is_busy_until(now_ + 10ms);
    EXPECT_FALSE(ask({.timeout = 200ms, .rows = 160}));  // Others would suffer.
    instance_is_idle();
    ASSERT_TRUE(ask({.timeout = 200ms, .rows = 160}));
    EXPECT_THAT(next_batch(), ElementsAre(5));
    EXPECT_THAT(refused(), IsEmpty());
}

TEST_F(PolicyTest, WhatATryMeasuresIsBelieved) {
    start();
    ASSERT_TRUE(ask({.timeout = 300ms, .rows = 160}));
    EXPECT_THAT(next_batch(), ElementsAre(0));
    for (int run = 0; run < 32; ++run) latency().observe(16, 20ms, now_ += 20ms);
    instance_is_idle();
    EXPECT_TRUE(ask({.timeout = 300ms, .rows = 160}));
    EXPECT_THAT(next_batch(), ElementsAre(1));
    for (int run = 0; run < 32; ++run) latency().observe(16, 60ms, now_ += 60ms);
    now_ += 20s;
    latency().observe(16, 60ms, now_);
    instance_is_idle();
    EXPECT_FALSE(ask({.timeout = 300ms, .rows = 160}));  // Measured a moment ago.
}

TEST_F(PolicyTest, DeadlineThatTheQueueWouldMissIsRefusedAsOverload) {
    start();
    instance_is_busy_until(now_ + 50ms);
    const Result<> answer = ask({.timeout = 40ms});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kOverloaded);
    EXPECT_EQ(answer.error().message,
              "busy for about 50.00 ms more; cannot finish within 40.00 ms");
    EXPECT_TRUE(ask({.timeout = 70ms}));
    EXPECT_EQ(ask({.timeout = 61ms}).error().message,
              "1 request ahead; cannot finish within 61.00 ms");
}

TEST_F(PolicyTest, TimeThatOtherModelsTakeBetweenTheRunsIsCountedOnAdmission) {
    for (const double share : {1.0, 0.5}) {
        start({}, 1);
        share_ = share;
        instance_is_busy_until(now_ + 10ms);
        ASSERT_TRUE(ask({.timeout = 25ms}));
        EXPECT_EQ(ask({.timeout = 38ms}).has_value(), share == 1.0);
        EXPECT_TRUE(ask({.timeout = 100ms})) << "it can wait that long";
    }
}

// Whatever the reason: the predictions are too good, and a call that has to wait needs more time.
TEST_F(PolicyTest, BrokenPromisesMakeAdmissionCarefulAndTimeMakesItForget) {
    start({}, 1);
    const auto admits = [this](Clock::duration timeout) {
        instance_is_busy_until(now_ + 100ms);
        return ask({.timeout = timeout}).has_value();
    };
    ASSERT_FALSE(admits(115ms)) << "11 ms for the run, and 5 ms are the least margin";
    ASSERT_TRUE(admits(150ms));
    now_ += 150ms;
    policy_->expire(now_, refused_);
    for (int i = 0; i < 10; ++i) policy_->answered(false);
    EXPECT_FALSE(admits(150ms));
    EXPECT_TRUE(admits(300ms)) << "it can wait that long";
    now_ += 300ms;
    policy_->expire(now_, refused_);
    now_ += 10min;
    EXPECT_TRUE(admits(150ms));
}

TEST_F(PolicyTest, RefusalForOverloadSaysWhenWhatWaitsWillHaveRun) {
    start();
    instance_is_busy_until(now_ + 50ms);
    ASSERT_TRUE(ask({}));
    ASSERT_TRUE(ask({}));
    const Result<> answer = ask({.timeout = 40ms});
    ASSERT_FALSE(answer);
    // Two rows behind the run, each at its share of the best batch, 60 ms for 16 rows.
    EXPECT_NEAR(static_cast<double>(answer.error().retry_after.count()), 57'500, 1'000);
}

TEST_F(PolicyTest, RefusalForAFullQueueSaysWhenToAskAgainWhateverThePolicy) {
    for (const auto policy : {model::QueuePolicy::kDeadline, model::QueuePolicy::kFifo}) {
        start({.policy = policy, .max_queued_requests = 1});
        ASSERT_TRUE(ask({}));
        const Result<> answer = ask({});
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, ErrorCode::kQueueFull);
        EXPECT_NEAR(static_cast<double>(answer.error().retry_after.count()), 3'750, 100);
    }
}

TEST_F(PolicyTest, SuccessorKeepsWhatWasLearnedAndOrdersWhatWaitsItsOwnWay) {
    start({.policy = model::QueuePolicy::kFifo}, 1);
    for (int i = 0; i < 40; ++i) latency().observe(1, 30ms, now_);
    const Clock::duration learned = latency().typical(1);
    ASSERT_TRUE(ask({.timeout = 10s}));
    now_ += 1ms;
    ASSERT_TRUE(ask({.timeout = 1s}));
    auto successor = make_policy({}, 1, kSeeds, now_);
    successor->take_over(*policy_, refused_);
    policy_ = std::move(successor);
    EXPECT_EQ(latency().typical(1), learned);
    EXPECT_EQ(policy_->earliest_expiry(), now_ + 1s);
    instance_is_idle();
    EXPECT_THAT(next_batch(), ElementsAre(1));
    EXPECT_THAT(next_batch(), ElementsAre(0));
    EXPECT_THAT(refused(), IsEmpty());
}

TEST_F(PolicyTest, SuccessorWithLessRoomRefusesThoseDueLast) {
    start();
    ASSERT_TRUE(ask({.timeout = 3s}));
    ASSERT_TRUE(ask({.timeout = 1s}));
    ASSERT_TRUE(ask({.timeout = 2s}));
    auto successor = make_policy({.max_queued_requests = 2}, 16, kSeeds, now_);
    successor->take_over(*policy_, refused_);
    EXPECT_THAT(refused(), ElementsAre(0));
    EXPECT_EQ(refused_.front().error.code, ErrorCode::kQueueFull);
    EXPECT_EQ(successor->waiting(), 2U);
}

TEST_F(PolicyTest, CallThatWouldMakeAnAdmittedOneLateIsRefused) {
    start({}, 1);
    ASSERT_TRUE(ask({.timeout = 25ms}));
    ASSERT_TRUE(ask({.timeout = 28ms}));
    EXPECT_EQ(ask({.timeout = 12ms}).error().code, ErrorCode::kOverloaded);
    EXPECT_TRUE(ask({.timeout = 60ms}));
    EXPECT_THAT(next_batch(), ElementsAre(0));
    EXPECT_THAT(next_batch(), ElementsAre(1));
}

TEST_F(PolicyTest, LessImportantCallMakesRoom) {
    start({}, 1);
    ASSERT_TRUE(ask({.timeout = 15ms, .priority = 3}));
    ASSERT_TRUE(ask({.timeout = 15ms, .priority = 1}));
    ASSERT_THAT(refused(), ElementsAre(0));
    EXPECT_EQ(refused_.front().error.code, ErrorCode::kOverloaded);
    EXPECT_THAT(next_batch(), ElementsAre(1));
}

TEST_F(PolicyTest, FullQueueTakesAnImportantCallInsteadOfTheLeastImportant) {
    start({.max_queued_requests = 2});
    ASSERT_TRUE(ask({.priority = 3}));
    ASSERT_TRUE(ask({}));
    EXPECT_EQ(ask({.priority = 3}).error().code, ErrorCode::kQueueFull);
    EXPECT_TRUE(ask({.priority = 1}));
    EXPECT_THAT(refused(), ElementsAre(0));
    EXPECT_EQ(refused_.front().error.code, ErrorCode::kQueueFull);
}

TEST_F(PolicyTest, QueueIsBoundedInBytesToo) {
    start({.max_queued_bytes = 100});
    const std::vector<std::byte> data(80);
    for (int i = 0; i < 2; ++i) {
        calls_.push_back(std::make_unique<InferCall>());
        calls_.back()->request.inputs.push_back({"x", {DataType::kUint8, {1, 80}, data}});
    }
    EXPECT_TRUE(policy_->admit(*calls_[0], moment(), refused_));
    const Result<> answer = policy_->admit(*calls_[1], moment(), refused_);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kQueueFull);
    EXPECT_THAT(answer.error().message, HasSubstr("80 more exceed its bound of 100"));
}

TEST_F(PolicyTest, ImportantCallsRunBeforeOthersAndAgedOnesBeforeNewOnes) {
    start({}, 1);
    ASSERT_TRUE(ask({}));
    ASSERT_TRUE(ask({.priority = 1}));
    EXPECT_THAT(next_batch(), ElementsAre(1));
    now_ += 5s;
    instance_is_idle();
    ASSERT_TRUE(ask({.priority = 1}));
    EXPECT_THAT(next_batch(), ElementsAre(0)) << "it has waited for five seconds";
}

TEST_F(PolicyTest, OnlyCallsOfOneShapeClassShareABatch) {
    start();
    for (const std::uint64_t shape_class : {7, 8, 7, 8})
        ASSERT_TRUE(ask({.shape_class = shape_class}));
    EXPECT_THAT(next_batch(), ElementsAre(0, 2));
    EXPECT_THAT(next_batch(), ElementsAre(1, 3));
}

TEST_F(PolicyTest, BatchIsNoLargerThanTheFirstDeadlineAllows) {
    start();
    ASSERT_TRUE(ask({.timeout = 30ms}));
    for (int i = 0; i < 15; ++i) ASSERT_TRUE(ask({.timeout = 500ms}));
    EXPECT_EQ(next_batch().size(), 4U) << "4 rows take 20 ms, 16 take 60";
    EXPECT_THAT(refused(), IsEmpty());
}

TEST_F(PolicyTest, LongRequestRunsAlone) {
    start();
    ASSERT_TRUE(ask({.rows = 40}));
    ASSERT_TRUE(ask({}));
    EXPECT_THAT(next_batch(), ElementsAre(0));
}

TEST_F(PolicyTest, CancelledAndExpiredCallsAreNotRun) {
    start();
    ASSERT_TRUE(ask({}));
    ASSERT_TRUE(ask({.timeout = 100ms}));
    ASSERT_TRUE(ask({.timeout = 400ms}));
    calls_[0]->cancelled = true;
    now_ += 150ms;
    instance_is_idle();
    EXPECT_THAT(next_batch(), ElementsAre(2));
    EXPECT_EQ(refused_.size(), 2U);
    for (const Refused& one : refused_) {
        EXPECT_EQ(one.error.code,
                  number_of(one.call) == 0 ? ErrorCode::kCancelled : ErrorCode::kDeadlineExceeded);
    }
}

TEST_F(PolicyTest, ExpiryIsAnnouncedAndTakesOutOnlyWhatHasExpired) {
    start();
    instance_is_busy_until(now_ + 10ms);
    ASSERT_TRUE(ask({.timeout = 100ms}));
    ASSERT_TRUE(ask({.timeout = 200ms}));
    EXPECT_EQ(policy_->earliest_expiry(), kBegin + 100ms);
    policy_->expire(kBegin + 100ms, refused_);
    EXPECT_THAT(refused(), ElementsAre(0));
    EXPECT_EQ(policy_->earliest_expiry(), kBegin + 200ms);
}

TEST_F(PolicyTest, FifoTakesCallsInOrderOfArrivalWhateverTheirDeadlines) {
    start({.policy = model::QueuePolicy::kFifo}, 2);
    ASSERT_TRUE(ask({.timeout = 500ms}));
    ASSERT_TRUE(ask({.timeout = 9ms})) << "it refuses only what has expired";
    ASSERT_TRUE(ask({.timeout = 100ms}));
    EXPECT_THAT(next_batch(), ElementsAre(0, 1));
    EXPECT_THAT(next_batch(), ElementsAre(2));
}

TEST_F(PolicyTest, FifoWaitsForCompanyNoLongerThanItsDelay) {
    start({.policy = model::QueuePolicy::kFifo, .max_queue_delay = 5ms}, 4);
    ASSERT_TRUE(ask({}));
    EXPECT_THAT(next_batch(), IsEmpty());
    EXPECT_EQ(look_at_, kBegin + 5ms);
    now_ += 5ms;
    instance_is_idle();
    EXPECT_THAT(next_batch(), ElementsAre(0));
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(ask({}));
    EXPECT_EQ(next_batch().size(), 4U) << "a full batch does not wait";
}

TEST_F(PolicyTest, FifoDoesNotWaitOnceAPreferredSizeIsThere) {
    start(
        {.policy = model::QueuePolicy::kFifo, .max_queue_delay = 5ms, .preferred_batch_sizes = {2}},
        8);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask({}));
    EXPECT_THAT(next_batch(), ElementsAre(0, 1));
    EXPECT_THAT(next_batch(), IsEmpty());
}

// A long sentence must not be promised what a short one takes, nor a short one be refused because
// long ones are slow.
TEST_F(PolicyTest, FifoSendsThePreferredSizeWhereMoreWait) {
    start({.policy = model::QueuePolicy::kFifo, .preferred_batch_sizes = {2, 6}});
    for (int i = 0; i < 9; ++i) ASSERT_TRUE(ask({}));
    EXPECT_THAT(next_batch(), ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_THAT(next_batch(), ElementsAre(6, 7));
    EXPECT_THAT(next_batch(), ElementsAre(8));
}

TEST_F(PolicyTest, FifoDoesNotWaitForWhatCannotGrowToAPreferredSize) {
    start({.policy = model::QueuePolicy::kFifo,
           .max_queue_delay = 5s,
           .preferred_batch_sizes = {2, 6}});
    ASSERT_TRUE(ask({.rows = 7}));  // More than any preferred size.
    EXPECT_THAT(next_batch(), ElementsAre(0));
    ASSERT_TRUE(ask({.rows = 5}));
    EXPECT_THAT(next_batch(), IsEmpty());
    EXPECT_EQ(look_at_, now_ + 5s);
    ASSERT_TRUE(ask({.rows = 3}));  // With it there are more than any preferred size.
    EXPECT_THAT(next_batch(), ElementsAre(1));
    EXPECT_THAT(next_batch(), IsEmpty());
    ASSERT_TRUE(ask({.shape_class = 1}));  // What goes with the next one it never will.
    EXPECT_THAT(next_batch(), ElementsAre(2));
    now_ += 5s;
    EXPECT_THAT(next_batch(), ElementsAre(3));
}

TEST_F(PolicyTest, FifoTakesImportantCallsFirstWhereThereArePriorities) {
    start({.policy = model::QueuePolicy::kFifo, .default_priority = 2, .priority_levels = 3}, 1);
    for (const std::uint32_t priority : {3U, 2U, 0U, 1U, 4U, 3U}) {
        ASSERT_TRUE(ask({.priority = priority}));
    }
    for (const std::size_t number : {3U, 1U, 2U, 4U, 0U, 5U}) {
        EXPECT_THAT(next_batch(), ElementsAre(number));
    }
    // Where there are none, all are alike.
    start({.policy = model::QueuePolicy::kFifo}, 1);
    ASSERT_TRUE(ask({.priority = 5}));
    ASSERT_TRUE(ask({.priority = 1}));
    EXPECT_THAT(next_batch(), ElementsAre(6));
    EXPECT_THAT(next_batch(), ElementsAre(7));
}

TEST_F(PolicyTest, FifoHasAQueueForEachPriority) {
    start({.policy = model::QueuePolicy::kFifo,
           .max_queued_requests = 2,
           .priority_levels = 3,
           .levels = {{1, {.wait = {}, .max_queued_requests = 1}}}});
    EXPECT_TRUE(ask({.priority = 1}));
    const Result<> answer = ask({.priority = 1});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kQueueFull);
    for (const std::uint32_t priority : {2U, 3U}) {
        EXPECT_TRUE(ask({.priority = priority}));
        EXPECT_TRUE(ask({.priority = priority}));
        EXPECT_FALSE(ask({.priority = priority}));
    }
}

TEST_F(PolicyTest, WaitingIsBoundedAndRunsAreNot) {
    for (const auto policy : {model::QueuePolicy::kDeadline, model::QueuePolicy::kFifo}) {
        now_ = kBegin;
        calls_.clear();
        refused_.clear();
        start({.policy = policy, .wait = {.longest = 5ms}}, 1);  // A run takes 10.
        instance_is_idle();
        ASSERT_TRUE(ask({}));
        ASSERT_TRUE(ask({}));
        EXPECT_THAT(next_batch(), ElementsAre(0));
        EXPECT_EQ(policy_->earliest_expiry(), now_ + 5ms);
        now_ += 5ms;
        policy_->expire(now_, refused_);
        EXPECT_THAT(refused(), ElementsAre(1));
        EXPECT_EQ(refused_.front().error.code, ErrorCode::kDeadlineExceeded);
        EXPECT_THAT(refused_.front().error.message, HasSubstr("waited for 5"));
    }
}

TEST_F(PolicyTest, DefaultDeadlineCountsInsteadOfABoundOfWaiting) {
    start({.default_timeout = 1s, .wait = {.longest = 5ms}});
    ASSERT_TRUE(ask({.timeout = 1s}));
    EXPECT_EQ(policy_->earliest_expiry(), now_ + 1s);
}

TEST_F(PolicyTest, FifoLetsRequestsShortenTheirWaitOnlyWhereThatIsAllowed) {
    for (const bool allowed : {false, true}) {
        start(
            {.policy = model::QueuePolicy::kFifo, .wait = {.longest = 20ms, .shortened = allowed}});
        ASSERT_TRUE(ask({.timeout = 100ms}));  // Never longer.
        EXPECT_EQ(policy_->earliest_expiry(), now_ + 20ms);
        ASSERT_TRUE(ask({.timeout = 10ms}));
        EXPECT_EQ(policy_->earliest_expiry(), now_ + (allowed ? 10ms : 20ms));
    }
}

TEST_F(PolicyTest, FifoPutsWhatWaitedForTooLongBehindTheOthersWhereItIsToDelay) {
    start({.policy = model::QueuePolicy::kFifo,
           .default_priority = 2,
           .priority_levels = 3,
           .wait = {.longest = 5ms, .delays = true},
           .levels = {{1, {.wait = {.longest = 1ms}, .max_queued_requests = 9}}}},
          1);
    ASSERT_TRUE(ask({}));
    ASSERT_TRUE(ask({.priority = 3}));
    ASSERT_TRUE(ask({.priority = 1}));
    now_ += 5ms;
    ASSERT_TRUE(ask({}));
    for (const std::size_t number : {3U, 0U, 1U}) EXPECT_THAT(next_batch(), ElementsAre(number));
    EXPECT_THAT(refused(), ElementsAre(2));  // As the policy of its priority has it.
    EXPECT_TRUE(policy_->empty());
}

TEST_F(PolicyTest, CallsOfDifferentSizeAreJudgedByWhatTheirSizeTakes) {
    start();
    InferCall large;
    large.row_bytes = 1 << 20;
    policy_->latency_of(InferCall(), now_).observe(1, 10ms, now_);
    policy_->latency_of(large, now_).observe(1, 200ms, now_);
    EXPECT_TRUE(ask({.timeout = 50ms}));
    EXPECT_FALSE(ask({.timeout = 50ms, .shape_class = 1, .row_bytes = 1 << 20}));
    EXPECT_TRUE(ask({.timeout = 400ms, .shape_class = 1, .row_bytes = 1 << 20}));
}

TEST_F(PolicyTest, GuessRefusesAFewTimesAndThenOneIsTried) {
    // Only one row was measured: 16 rows are thought to take 160 ms.
    policy_ = make_policy({}, 16, std::span(kSeeds).first(1), kBegin);
    int refusals = 0;
    while (refusals < 100 && !ask({.timeout = 60ms, .rows = 16})) ++refusals;
    EXPECT_EQ(refusals, 2) << "160, 80, 40 ms";
    latency().observe(16, 120ms, now_);
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(ask({.timeout = 60ms, .rows = 16})) << "measured";
}

TEST_F(PolicyTest, SmallRequestsAreNotJudgedByLargeOnesNorLargeBySmall) {
    policy_ = make_policy({}, 1, std::span(kSeeds).first(1), kBegin, true);
    constexpr std::size_t kSmall = 1 << 10;
    constexpr std::size_t kLarge = 1 << 22;
    const auto run = [this](std::size_t bytes, Clock::duration took) {
        InferCall call;
        call.row_bytes = bytes;
        for (int i = 0; i < 20; ++i) policy_->latency_of(call, now_).observe(1, took, now_);
    };
    run(kLarge, 500ms);
    EXPECT_TRUE(ask({.timeout = 20ms, .row_bytes = kSmall})) << "after large ones";
    run(kSmall, 1ms);
    EXPECT_FALSE(ask({.timeout = 100ms, .row_bytes = kLarge})) << "after small ones";
    EXPECT_FALSE(ask({.timeout = 100ms, .row_bytes = kLarge / 2})) << "between the two";
    EXPECT_TRUE(ask({.timeout = 1s, .row_bytes = kLarge}));
}

TEST_F(PolicyTest, AnyNumberOfRowsIsPlannedWithoutOverflow) {
    start();
    for (int i = 0; i < 100; ++i) {
        const Wish patient{.rows = std::int64_t{1} << 40};
        ASSERT_TRUE(ask(patient));
    }
    EXPECT_FALSE(ask({.timeout = 1h, .rows = std::int64_t{1} << 40}));
    instance_is_busy_until(now_ + 1s);
    const Result<> behind = ask({.timeout = 100ms});
    ASSERT_FALSE(behind);
    EXPECT_GT(behind.error().retry_after.count(), 0);
    instance_is_idle();
    EXPECT_THAT(next_batch(), ElementsAre(0));
}

TEST_F(PolicyTest, WaitingCallWhoseClientLeavesIsTakenOutAndMakesRoom) {
    for (const auto policy : {model::QueuePolicy::kDeadline, model::QueuePolicy::kFifo}) {
        model::QueueOptions options;
        options.policy = policy;
        options.max_queued_requests = 2;
        start(options);
        const std::size_t first = calls_.size();
        ASSERT_TRUE(ask({}));
        ASSERT_TRUE(ask({}));
        ASSERT_FALSE(ask({}));
        policy_->cancel(*calls_[first + 1], refused_);
        EXPECT_EQ(refused(), std::vector<std::size_t>{first + 1});
        EXPECT_EQ(refused_.back().error.code, ErrorCode::kCancelled);
        EXPECT_TRUE(ask({}));
        // One that does not wait is nobody's.
        policy_->cancel(*calls_[first + 1], refused_);
        EXPECT_EQ(refused_.size(), 1U);
        refused_.clear();
    }
}

constexpr std::uint64_t kFlood = 1;
constexpr std::uint64_t kPolite = 2;

TEST_F(PolicyTest, ClientThatAsksNowAndThenWaitsForOneRunBesideOneThatFloods) {
    start({}, 1);
    const auto flood = [this] {
        while (policy_->waiting() < 300) ASSERT_TRUE(ask({.client = kFlood}));
    };
    std::vector<std::size_t> waited;  // Runs that went before, for each polite call.
    std::size_t polite = 0;           // Its number, while one waits.
    for (std::size_t run = 0, asked = 0; run < 1000; ++run, now_ += 10ms) {
        flood();
        if (run >= 400 && run % 20 == 0) {
            polite = calls_.size();
            asked = run;
            ASSERT_TRUE(ask({.client = kPolite}));
        }
        instance_is_idle();
        const auto batch = next_batch();
        ASSERT_EQ(batch.size(), 1U);
        if (polite > 0 && batch.front() == polite) waited.push_back(run - asked);
    }
    EXPECT_THAT(refused_, IsEmpty());
    EXPECT_THAT(waited, testing::SizeIs(30));
    EXPECT_THAT(waited, testing::Each(testing::Le(1U)));
}

TEST_F(PolicyTest, ClientWithTheMostCallsMakesRoomInAFullQueue) {
    start({.max_queued_requests = 3});
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask({.client = kFlood}));
    EXPECT_FALSE(ask({.client = kFlood}));
    EXPECT_TRUE(ask({.client = kPolite}));
    EXPECT_THAT(refused(), ElementsAre(2));
    EXPECT_EQ(refused_.front().error.code, ErrorCode::kQueueFull);
    // Both have their share: nobody gives way any more.
    EXPECT_FALSE(ask({.client = kPolite}));
    EXPECT_FALSE(ask({.client = kFlood}));
    EXPECT_EQ(refused_.size(), 1U);
}

TEST_F(PolicyTest, CallInItsClientsTurnIsPlannedAtTheCostOfOneOutOfTurn) {
    start({}, 1);
    instance_is_busy_until(now_ + 10ms);
    std::size_t admitted = 0;
    while (ask({.timeout = 100ms, .client = kFlood})) ++admitted;
    ASSERT_GT(admitted, 2U);
    EXPECT_TRUE(ask({.timeout = 100ms, .client = kPolite}));
    ASSERT_EQ(refused_.size(), 1U);
    EXPECT_LT(refused().front(), admitted);
    EXPECT_EQ(refused_.front().error.code, ErrorCode::kOverloaded);
    EXPECT_FALSE(ask({.timeout = 100ms, .client = kFlood}));
    EXPECT_EQ(refused_.size(), 1U);
}

TEST_F(PolicyTest, ClientsTakeTurnsAndEachKeepsItsOwnOrder) {
    start({}, 1);
    const auto ask_of = [this](std::uint64_t client, std::uint32_t priority = 0) {
        now_ += 1ms;
        ASSERT_TRUE(ask({.priority = priority, .client = client}));
    };
    for (int i = 0; i < 6; ++i) ask_of(kFlood);   // 0 to 5
    for (int i = 0; i < 3; ++i) ask_of(kPolite);  // 6 to 8
    ask_of(3);
    ask_of(kPolite, 3);  // Less important: not in its turn.
    instance_is_idle();
    std::vector<std::size_t> order;
    while (!policy_->empty()) order.push_back(next_batch().at(0));
    EXPECT_THAT(order, ElementsAre(0, 6, 9, 1, 7, 2, 8, 3, 4, 5, 10));
}

TEST_F(PolicyTest, WhatARunUsuallyTakesIsToldFromItsWorst) {
    start();
    for (int i = 0; i < 40; ++i) latency().observe(1, 10ms, now_ += 1ms);
    latency().observe(1, 25ms, now_ += 1ms);
    latency().observe(1, 25ms, now_ += 1ms);
    for (int i = 0; i < 20; ++i) latency().observe(1, 10ms, now_ += 1ms);
    ASSERT_TRUE(ask({}));
    const Work work = policy_->work();
    EXPECT_LT(work.usual, 12ms);
    EXPECT_GT(work.longest, 20ms);
}

}  // namespace
}  // namespace lepton::scheduler
