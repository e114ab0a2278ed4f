#include "lepton/scheduler/dispatcher.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Clock::time_point kBegin{1h};
constexpr Clock::duration kRun = 10ms;  // Of any row count.

// Cores that others have, or not.
class FakeCores final : public Cores {
public:
    [[nodiscard]] bool contended() const override { return true; }
    CoreBudget::Grant ask(const Work&, Clock::time_point now) override {
        ++asked;
        if (!free) return {.run = std::nullopt, .latest_end = kNoDeadline, .ask_again = ask_again};
        ++held;
        return {.run = CoreBudget::Run{7}, .latest_end = kNoDeadline, .ask_again = now};
    }
    void expect(CoreBudget::Run, Clock::time_point ends) override { expected = ends; }
    void finish(CoreBudget::Run, Clock::duration used) override {
        --held;
        charged += used;
    }
    void charge(Clock::duration used) override { charged += used; }
    [[nodiscard]] Clock::time_point free_at() const override { return kBegin; }
    [[nodiscard]] double usual_share(Clock::time_point) const override { return 1; }

    bool free = true;
    Clock::time_point ask_again = kNoDeadline;
    Clock::time_point expected;
    Clock::duration charged{};
    int asked = 0;
    int held = 0;
};

class DispatcherTest : public testing::Test {
protected:
    void start(std::size_t instances = 1, model::QueueOptions queue = {}, Cores* cores = nullptr) {
        dispatcher_.emplace(Dispatcher::Options{.model = "plus_one",
                                                .queue = std::move(queue),
                                                .service_times = {{1, kRun}, {4, kRun}},
                                                .max_rows = 4,
                                                .instances = instances},
                            cores,
                            kBegin);
    }
    InferCall& call(Clock::duration timeout = {}, std::int64_t rows = 1) {
        calls_.push_back(std::make_unique<InferCall>());
        InferCall& made = *calls_.back();
        made.rows = rows;
        made.timeline.begun = now_;
        if (timeout > 0ns) made.request.deadline = now_ + timeout;
        return made;
    }
    Result<> admit(InferCall& call) { return dispatcher_->admit(call, now_, refused_); }
    Dispatcher::Next next(std::size_t first = 0) {
        return dispatcher_->next(now_, refused_, first);
    }
    void end(std::size_t instance, Clock::duration took = kRun) {
        now_ += took;
        const auto batch = dispatcher_->batch_of(instance);
        dispatcher_->ran(instance, static_cast<std::int64_t>(batch.size()), took, now_);
        dispatcher_->release(instance);
    }

    Clock::time_point now_ = kBegin;
    std::vector<std::unique_ptr<InferCall>> calls_;
    std::vector<Refused> refused_;
    std::optional<Dispatcher> dispatcher_;
};

TEST_F(DispatcherTest, NothingToRunWhenNothingWaits) {
    start();
    const auto said = next();
    EXPECT_FALSE(said.instance);
    EXPECT_FALSE(said.idle);
    EXPECT_EQ(said.look_at, kNoDeadline);
}

TEST_F(DispatcherTest, WhatWaitsRunsTogetherOnAnIdleInstance) {
    start();
    InferCall& first = call();
    InferCall& second = call();
    ASSERT_TRUE(admit(first));
    ASSERT_TRUE(admit(second));
    EXPECT_EQ(first.queued_behind, 0u);
    EXPECT_EQ(second.queued_behind, 1u);
    EXPECT_EQ(second.timeline.admitted, now_);
    const auto said = next();
    ASSERT_EQ(said.instance, 0u);
    EXPECT_EQ(said.predicted, kRun);
    EXPECT_EQ(std::vector(dispatcher_->batch_of(0).begin(), dispatcher_->batch_of(0).end()),
              (std::vector{&first, &second}));
    EXPECT_EQ(dispatcher_->waiting(), 0u);
}

TEST_F(DispatcherTest, BusyInstanceTakesMoreOnlyOnceItIsReleased) {
    start();
    ASSERT_TRUE(admit(call()));
    ASSERT_EQ(next().instance, 0u);
    ASSERT_TRUE(admit(call()));
    const auto busy = next();
    EXPECT_FALSE(busy.instance);
    EXPECT_FALSE(busy.idle);
    end(0);
    EXPECT_EQ(next().instance, 0u);
}

TEST_F(DispatcherTest, NamesTheInstanceThatIsAskedForWhereItIsIdle) {
    start(3);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(admit(call({}, 4)));
    ASSERT_EQ(next(2).instance, 2u);
    ASSERT_EQ(next(2).instance, 0u);
    EXPECT_FALSE(next(2).instance);
    end(2);
    ASSERT_TRUE(admit(call()));
    EXPECT_EQ(next(2).instance, 2u);
}

TEST_F(DispatcherTest, SaysWhenTheFirstThatWaitsExpires) {
    start();
    ASSERT_TRUE(admit(call()));
    ASSERT_EQ(next().instance, 0u);
    InferCall& hurried = call(50ms);
    ASSERT_TRUE(admit(hurried));
    EXPECT_EQ(next().look_at, now_ + 50ms);
    now_ += 50ms;
    const auto said = next();
    EXPECT_EQ(said.look_at, kNoDeadline);
    ASSERT_EQ(refused_.size(), 1u);
    EXPECT_EQ(refused_[0].call, &hurried);
    EXPECT_EQ(refused_[0].error.code, ErrorCode::kDeadlineExceeded);
}

TEST_F(DispatcherTest, IdleInstanceThatWaitsForCompanyIsNamedWithTheTimeToLook) {
    start(2, {.policy = model::QueuePolicy::kFifo, .max_queue_delay = 3ms});
    ASSERT_TRUE(admit(call()));
    const auto waits = next(1);
    EXPECT_FALSE(waits.instance);
    EXPECT_EQ(waits.idle, 1u);
    EXPECT_EQ(waits.look_at, now_ + 3ms);
    now_ += 3ms;
    EXPECT_EQ(next().instance, 0u);
}

TEST_F(DispatcherTest, CoresAreAskedForHeldAndGivenBackWithWhatWasUsed) {
    FakeCores cores;
    start(1, {}, &cores);
    ASSERT_TRUE(admit(call()));
    ASSERT_EQ(next().instance, 0u);
    EXPECT_EQ(cores.held, 1);
    EXPECT_EQ(cores.expected, now_ + kRun);
    end(0, 12ms);
    EXPECT_EQ(cores.held, 0);
    EXPECT_EQ(cores.charged, 12ms);
}

TEST_F(DispatcherTest, WithoutCoresItSaysWhenToAskAgainAndLaterHowLongCallsWaited) {
    FakeCores cores;
    cores.free = false;
    cores.ask_again = kBegin + 8ms;
    start(1, {}, &cores);
    ASSERT_TRUE(admit(call()));
    const auto waits = next();
    EXPECT_FALSE(waits.instance);
    EXPECT_EQ(waits.idle, 0u);
    EXPECT_EQ(waits.look_at, kBegin + 8ms);
    EXPECT_FALSE(waits.waited_for_cores);
    now_ += 5ms;
    cores.free = true;
    const auto runs = next();
    EXPECT_EQ(runs.instance, 0u);
    EXPECT_EQ(runs.waited_for_cores, 5ms);
}

TEST_F(DispatcherTest, CoresThatNothingIsLeftForAreGivenBack) {
    FakeCores cores;
    start(1, {}, &cores);
    InferCall& gone = call();
    ASSERT_TRUE(admit(gone));
    gone.cancelled = true;
    EXPECT_FALSE(next().instance);
    EXPECT_EQ(cores.held, 0);
    ASSERT_EQ(refused_.size(), 1u);
    EXPECT_EQ(refused_[0].error.code, ErrorCode::kCancelled);
}

TEST_F(DispatcherTest, RunThatIsSureToBeShortNeedsNoCores) {
    FakeCores cores;
    cores.free = false;
    dispatcher_.emplace(
        Dispatcher::Options{.model = "quick", .service_times = {{1, 10us}}}, &cores, kBegin);
    ASSERT_TRUE(admit(call()));
    EXPECT_EQ(next().instance, 0u);
    EXPECT_EQ(cores.asked, 0);
    end(0, 20us);
    EXPECT_EQ(cores.charged, 20us);
}

// Others would have the cores for as long as a large model runs.
TEST_F(DispatcherTest, RunThatIsUsuallyShortNeedsNoCoresEither) {
    FakeCores cores;
    cores.free = false;
    dispatcher_.emplace(
        Dispatcher::Options{.model = "quick", .service_times = {{1, 100us}}}, &cores, kBegin);
    for (int i = 0; i < 60; ++i) {
        ASSERT_TRUE(admit(call()));
        ASSERT_EQ(next().instance, 0u) << i;
        end(0, i == 40 || i == 42 ? 800us : 100us);
    }
    EXPECT_EQ(cores.asked, 0);
}

TEST_F(DispatcherTest, RunsAreLearnedFrom) {
    start();
    for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(admit(call()));
        ASSERT_EQ(next().instance, 0u);
        end(0, 20ms);
    }
    ASSERT_TRUE(admit(call()));
    EXPECT_GT(next().predicted, 15ms);
}

TEST_F(DispatcherTest, DefaultTimeoutCountsFromWhenTheRequestBegan) {
    start(1, {.default_timeout = 30ms});
    InferCall& waits = call();
    now_ += 5ms;
    ASSERT_TRUE(admit(waits));
    EXPECT_EQ(waits.request.deadline, kBegin + 30ms);
}

TEST_F(DispatcherTest, ErrorsNameTheModel) {
    start(1, {.max_queued_requests = 1});
    ASSERT_TRUE(admit(call()));
    const Result<> full = admit(call());
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, ErrorCode::kQueueFull);
    EXPECT_EQ(full.error().message.find("model \"plus_one\": "), 0u) << full.error().message;
}

TEST_F(DispatcherTest, ReconfiguredBoundsHoldUntilTheFirstOnesAreAskedForAgain) {
    start();
    dispatcher_->reconfigure({}, 2, now_, refused_);
    const Result<> large = admit(call({}, 3));
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, ErrorCode::kInvalidArgument);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(admit(call()));
    ASSERT_EQ(next().instance, 0u);
    EXPECT_EQ(dispatcher_->batch_of(0).size(), 2u);
    dispatcher_->reconfigure({}, 0, now_, refused_);
    EXPECT_TRUE(admit(call({}, 3)));
}

TEST_F(DispatcherTest, CancelAndClearTakeOutWhatWaits) {
    start();
    InferCall& gone = call();
    InferCall& stays = call();
    ASSERT_TRUE(admit(gone));
    ASSERT_TRUE(admit(stays));
    dispatcher_->cancel(gone, refused_);
    ASSERT_EQ(refused_.size(), 1u);
    EXPECT_EQ(refused_[0].call, &gone);
    std::vector<InferCall*> left;
    dispatcher_->clear(left);
    EXPECT_EQ(left, std::vector{&stays});
    EXPECT_EQ(dispatcher_->waiting(), 0u);
}

TEST_F(DispatcherTest, ForecastIsTheRunAndWhatIsBeforeIt) {
    start();
    EXPECT_EQ(dispatcher_->forecast(1, 0, now_), kRun);
    ASSERT_TRUE(admit(call()));
    ASSERT_EQ(next().instance, 0u);
    now_ += 4ms;
    EXPECT_EQ(dispatcher_->forecast(1, 0, now_), 6ms + kRun);
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(admit(call()));  // Two runs of four rows.
    EXPECT_EQ(dispatcher_->forecast(1, 0, now_), 6ms + 2 * kRun + kRun);
}

}  // namespace
}  // namespace lepton::scheduler
