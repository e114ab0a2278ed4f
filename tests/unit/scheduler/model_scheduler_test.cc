#include "lepton/scheduler/model_scheduler.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fakes/fake_loop.h"
#include "fakes/fake_session.h"
#include "support/eventually.h"

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;
using fakes::FakeLoop;
using fakes::FakeSession;
using lepton::testing::eventually;

constexpr std::int64_t kWidth = 2;

// One request of `rows` rows, each [value, value], and what became of it.
class TestCall final : private CallStage, private TensorMemory {
public:
    TestCall(EventLoop* loop, float value, std::int64_t rows = 1)
        : data_(static_cast<std::size_t>(rows * kWidth), value) {
        call.loop = loop;
        call.push(*this);
        call.response.memory = this;
        call.timeline.received = call.timeline.decoded = Clock::now();
        call.request.inputs.push_back(
            {"x", {DataType::kFp32, {rows, kWidth}, std::as_bytes(std::span(data_))}});
    }

    void submit_to(const std::shared_ptr<ModelScheduler>& scheduler) {
        ASSERT_TRUE(scheduler->submit(call));
    }
    void wait() {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, 10s, [this] { return completions > 0; }));
    }

    InferCall call;
    int completions = 0;
    std::vector<float> answer;
    std::optional<ErrorCode> error;
    std::string message;

private:
    TensorStorage take(std::size_t bytes) override { return std::make_shared<std::byte[]>(bytes); }
    void on_answer(InferCall& /*call*/, Last /*last*/) noexcept override {
        const std::lock_guard lock(mutex_);
        ++completions;
        if (call.response.error) {
            error = call.response.error->code;
            message = call.response.error->message;
        } else {
            const auto bytes = call.response.outputs.at(0).tensor.data;
            answer.resize(bytes.size() / sizeof(float));
            std::memcpy(answer.data(), bytes.data(), bytes.size());
        }
        call.timeline.written = Clock::now();
        call.written();
        changed_.notify_all();
    }

    std::vector<float> data_;
    std::mutex mutex_;
    std::condition_variable changed_;
};

class ModelSchedulerTest : public ::testing::Test {
protected:
    void TearDown() override {
        if (scheduler_ != nullptr) scheduler_->close();
    }

    // `run_time` is what the warm-up measured: above kInlineLimit runs go to the instance's thread.
    void start(Clock::duration run_time = 10us, model::QueueOptions queue = {}) {
        auto spec = std::make_shared<ModelSpec>();
        spec->name = "plus_one";
        spec->version = "1";
        spec->inputs = {{"x", DataType::kFp32, {-1, kWidth}}};
        spec->outputs = {{"y", DataType::kFp32, {-1, kWidth}}};
        spec->batches = true;
        auto loaded = std::make_shared<model::LoadedModel>();
        loaded->spec = spec;
        auto session = std::make_unique<FakeSession>();
        session_ = session.get();
        loaded->sessions.push_back(std::move(session));
        loaded->service_times = {{1, run_time}, {4, run_time}};
        loaded->queue = queue;
        scheduler_ = std::make_shared<ModelScheduler>(loaded, metrics_, 1);
    }
    void run_posted_until_complete(const TestCall& call) {
        ASSERT_TRUE(eventually([&] {
            loop_.run_posted();
            return call.completions > 0;
        }));
    }

    FakeLoop loop_;
    std::shared_ptr<observe::ModelMetrics> metrics_ =
        std::make_shared<observe::ModelMetrics>("plus_one", "1");
    FakeSession* session_ = nullptr;
    std::shared_ptr<ModelScheduler> scheduler_;
};

TEST_F(ModelSchedulerTest, CallsOfOneTurnRunAsOneBatchAndEachGetsItsRows) {
    start();
    TestCall a(&loop_, 1.0F);
    TestCall b(&loop_, 2.0F, 2);
    a.submit_to(scheduler_);
    b.submit_to(scheduler_);
    EXPECT_TRUE(session_->runs.empty());
    loop_.end_turn();
    EXPECT_EQ(session_->runs, std::vector<std::int64_t>{3});
    EXPECT_EQ(a.answer, (std::vector<float>{2.0F, 2.0F}));
    EXPECT_EQ(b.answer, (std::vector<float>{3.0F, 3.0F, 3.0F, 3.0F}));
}

TEST_F(ModelSchedulerTest, BatchStopsAtTheLargestPreparedSizeAndTheRestRunsNextTurn) {
    start();
    std::vector<std::unique_ptr<TestCall>> calls;
    for (int i = 0; i < 6; ++i) {
        calls.push_back(std::make_unique<TestCall>(&loop_, static_cast<float>(i)));
        calls.back()->submit_to(scheduler_);
    }
    loop_.end_turn();
    EXPECT_EQ(session_->runs, std::vector<std::int64_t>{4});
    EXPECT_EQ(calls[4]->completions, 0);
    loop_.end_turn();
    EXPECT_EQ(session_->runs, (std::vector<std::int64_t>{4, 2}));
    EXPECT_EQ(calls[5]->answer, (std::vector<float>{6.0F, 6.0F}));
}

TEST_F(ModelSchedulerTest, CallLargerThanAnyPreparedBatchRunsInPieces) {
    start();
    TestCall call(&loop_, 5.0F, 10);
    call.submit_to(scheduler_);
    loop_.end_turn();
    EXPECT_EQ(session_->runs, (std::vector<std::int64_t>{4, 4, 2}));
    EXPECT_EQ(call.answer, std::vector<float>(20, 6.0F));
}

TEST_F(ModelSchedulerTest, FailedBatchIsRunCallByCallSoThatOnlyTheCulpritFails) {
    start();
    session_->fail_when = [](std::int64_t rows, const TensorView& input) {
        float first = 0;
        std::memcpy(&first, input.data.data(), sizeof first);
        return rows > 1 || first == 13.0F;
    };
    TestCall good(&loop_, 1.0F);
    TestCall bad(&loop_, 13.0F);
    good.submit_to(scheduler_);
    bad.submit_to(scheduler_);
    loop_.end_turn();
    EXPECT_EQ(good.answer, (std::vector<float>{2.0F, 2.0F}));
    EXPECT_EQ(bad.error, ErrorCode::kInternal);
}

TEST_F(ModelSchedulerTest, LongRunsLeaveTheLoopsThreadAndComeBackByPost) {
    start(10ms);
    TestCall call(&loop_, 1.0F);
    std::thread::id ran_on;
    session_->before_run = [&ran_on] { ran_on = std::this_thread::get_id(); };
    call.submit_to(scheduler_);
    loop_.end_turn();
    ASSERT_TRUE(eventually([&] { return loop_.run_posted(); }));
    EXPECT_NE(ran_on, std::this_thread::get_id());
    EXPECT_EQ(call.answer, (std::vector<float>{2.0F, 2.0F}));
}

TEST_F(ModelSchedulerTest, ExpiredCallIsRefusedOnArrival) {
    start();
    TestCall late(&loop_, 1.0F);
    late.call.request.deadline = Clock::now() - 1ms;
    late.submit_to(scheduler_);
    EXPECT_EQ(late.error, ErrorCode::kDeadlineExceeded);
    EXPECT_TRUE(session_->runs.empty());
}

TEST_F(ModelSchedulerTest, QueuedCallExpiresOnTimeWhileEveryInstanceIsBusy) {
    start(10ms);
    std::mutex gate;
    gate.lock();
    session_->before_run = [&gate] { const std::lock_guard wait(gate); };
    TestCall running(&loop_, 1.0F);
    running.submit_to(scheduler_);
    loop_.end_turn();
    TestCall waiting(&loop_, 2.0F);
    waiting.call.request.deadline = Clock::now() + 30ms;
    waiting.submit_to(scheduler_);
    loop_.end_turn();
    EXPECT_EQ(waiting.completions, 0);
    ASSERT_TRUE(eventually([&] { return Clock::now() >= waiting.call.request.deadline; }));
    EXPECT_TRUE(loop_.pass_to(Clock::now()));
    EXPECT_EQ(waiting.error, ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(running.completions, 0);
    gate.unlock();
    ASSERT_TRUE(eventually([&] { return loop_.run_posted(); }));
    EXPECT_EQ(running.completions, 1);
}

TEST_F(ModelSchedulerTest, CallWhoseClientLeftIsNotRun) {
    start();
    TestCall gone(&loop_, 1.0F);
    gone.submit_to(scheduler_);
    gone.call.cancelled = true;
    loop_.end_turn();
    EXPECT_EQ(gone.error, ErrorCode::kCancelled);
    EXPECT_TRUE(session_->runs.empty());
    EXPECT_EQ(metrics_->requests_failed[static_cast<std::size_t>(ErrorCode::kCancelled)], 1U);
}

TEST_F(ModelSchedulerTest, WaitingCallIsCompleteAsSoonAsItsClientLeaves) {
    start(10us, {.max_queued_requests = 1});
    TestCall gone(&loop_, 1.0F);
    TestCall next(&loop_, 2.0F);
    gone.submit_to(scheduler_);
    gone.call.cancel();
    EXPECT_EQ(gone.error, ErrorCode::kCancelled);
    EXPECT_EQ(metrics_->pending, 0);
    next.submit_to(scheduler_);
    loop_.end_turn();
    EXPECT_EQ(next.answer, (std::vector<float>{3.0F, 3.0F}));
    gone.call.cancel();  // Comes too late to matter.
    EXPECT_EQ(gone.completions, 1);
}

TEST_F(ModelSchedulerTest, FullQueueRefusesAndNamesItsBound) {
    start(10us, {.max_queued_requests = 1});
    TestCall first(&loop_, 1.0F);
    TestCall second(&loop_, 2.0F);
    first.submit_to(scheduler_);
    second.submit_to(scheduler_);
    EXPECT_EQ(second.error, ErrorCode::kQueueFull);
    EXPECT_NE(second.message.find("holds 1 requests"), std::string::npos) << second.message;
    loop_.end_turn();
    EXPECT_EQ(first.completions, 1);
}

TEST_F(ModelSchedulerTest, ReconfiguredKeepsWhatWaitsAndRefusesWhatExceedsTheNewBound) {
    start();
    TestCall first(&loop_, 1.0F);
    TestCall second(&loop_, 2.0F);
    TestCall third(&loop_, 3.0F);
    for (TestCall* call : {&first, &second, &third}) call->submit_to(scheduler_);
    std::jthread([this] {
        scheduler_->reconfigure({.policy = model::QueuePolicy::kFifo, .max_queued_requests = 2}, 0);
    }).join();
    while (first.completions + second.completions < 2) {
        loop_.end_turn();
        loop_.run_posted();
    }
    run_posted_until_complete(third);
    EXPECT_EQ(first.answer, (std::vector<float>{2.0F, 2.0F}));
    EXPECT_EQ(second.answer, (std::vector<float>{3.0F, 3.0F}));
    EXPECT_EQ(third.error, ErrorCode::kQueueFull);
}

TEST_F(ModelSchedulerTest, ReconfiguredDeadlineAndRowBoundHoldForCallsThatComeAfter) {
    start();
    scheduler_->reconfigure({.default_timeout = 1ns}, 2);
    TestCall late(&loop_, 1.0F);
    late.submit_to(scheduler_);
    EXPECT_EQ(late.error, ErrorCode::kDeadlineExceeded);
    TestCall large(&loop_, 1.0F, 3);
    large.submit_to(scheduler_);
    EXPECT_EQ(large.error, ErrorCode::kInvalidArgument);
    EXPECT_NE(large.message.find("has 3 rows"), std::string::npos) << large.message;
    EXPECT_NE(large.message.find("at most 2"), std::string::npos) << large.message;
    scheduler_->reconfigure({}, 0);
    TestCall again(&loop_, 1.0F, 3);
    again.submit_to(scheduler_);
    loop_.end_turn();
    EXPECT_EQ(again.answer, std::vector<float>(6, 2.0F));
}

TEST_F(ModelSchedulerTest, WhatTheOldPolicyHeldBackRunsOnceTheDelayIsGone) {
    start(10us, {.policy = model::QueuePolicy::kFifo, .max_queue_delay = 1h});
    TestCall call(nullptr, 1.0F);
    call.submit_to(scheduler_);
    EXPECT_EQ(call.completions, 0);
    scheduler_->reconfigure({}, 0);
    call.wait();
    EXPECT_EQ(call.answer, (std::vector<float>{2.0F, 2.0F}));
}

TEST_F(ModelSchedulerTest, EarlierDeadlineRunsFirst) {
    start();
    std::vector<std::unique_ptr<TestCall>> calls;
    for (int i = 0; i < 5; ++i) {
        calls.push_back(std::make_unique<TestCall>(&loop_, static_cast<float>(i)));
        calls.back()->call.request.deadline = Clock::now() + 10s - i * 1s;
        calls.back()->submit_to(scheduler_);
    }
    loop_.end_turn();
    EXPECT_EQ(calls[0]->completions, 0) << "the latest deadline waits";
    for (int i = 1; i < 5; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)]->completions, 1);
    loop_.end_turn();
}

TEST_F(ModelSchedulerTest, WithoutALoopTheCallIsCompleteWhenSubmitReturns) {
    start();
    TestCall call(nullptr, 1.0F);
    call.submit_to(scheduler_);
    EXPECT_EQ(call.answer, (std::vector<float>{2.0F, 2.0F}));
}

TEST_F(ModelSchedulerTest, ClosedSchedulerLeavesTheCallToAnother) {
    start();
    scheduler_->close();
    TestCall call(&loop_, 1.0F);
    EXPECT_FALSE(scheduler_->submit(call.call));
    EXPECT_EQ(call.completions, 0);
    EXPECT_EQ(call.call.response.model, nullptr);
    EXPECT_EQ(metrics_->pending, 0);
}

TEST_F(ModelSchedulerTest, AbandonedSchedulerRefusesTheQueueAndWaitsForTheRun) {
    start(10ms);
    std::mutex gate;
    gate.lock();
    std::atomic<bool> started = false;
    session_->before_run = [&] {
        started = true;
        const std::lock_guard wait(gate);
    };
    TestCall running(&loop_, 1.0F);
    running.submit_to(scheduler_);
    loop_.end_turn();
    ASSERT_TRUE(eventually([&] { return started.load(); }));
    TestCall queued(&loop_, 2.0F);
    queued.submit_to(scheduler_);  // Its turn will never end.
    std::jthread stopper([this] {
        scheduler_->refuse_queued();
        scheduler_->close();
    });
    ASSERT_TRUE(eventually([&] { return loop_.run_posted(); }));
    EXPECT_EQ(queued.error, ErrorCode::kUnavailable);
    EXPECT_EQ(running.completions, 0);
    gate.unlock();
    stopper.join();
    for (const auto& loop : scheduler_->loops()) loop->forget();
    EXPECT_TRUE(loop_.run_posted());
    EXPECT_EQ(running.answer, (std::vector<float>{2.0F, 2.0F}));
    const std::weak_ptr<ModelScheduler> watch = scheduler_;
    running.call.reset();
    queued.call.reset();
    scheduler_.reset();
    EXPECT_TRUE(watch.expired());
}

TEST_F(ModelSchedulerTest, DrainOfAnIdleSchedulerHasNothingToWaitFor) {
    start();
    EXPECT_TRUE(scheduler_->drain([] { FAIL() << "nothing was left"; }));
    TestCall call(&loop_, 1.0F);
    EXPECT_FALSE(scheduler_->submit(call.call));
    scheduler_->join();
}

TEST_F(ModelSchedulerTest, DrainReturnsAtOnceAndSaysWhenTheLastCallIsComplete) {
    start(10ms);
    std::mutex gate;
    gate.lock();
    session_->before_run = [&gate] { const std::lock_guard wait(gate); };
    TestCall running(&loop_, 1.0F);
    running.submit_to(scheduler_);
    loop_.end_turn();
    TestCall queued(&loop_, 2.0F);
    queued.submit_to(scheduler_);
    loop_.end_turn();
    std::atomic<int> drained = 0;
    EXPECT_FALSE(scheduler_->drain([&drained] { ++drained; }));
    EXPECT_EQ(drained, 0);
    gate.unlock();
    ASSERT_TRUE(eventually([&] { return drained > 0; }));
    scheduler_->join();
    run_posted_until_complete(queued);
    EXPECT_EQ(drained, 1);
    EXPECT_EQ(queued.answer, (std::vector<float>{3.0F, 3.0F}));
}

TEST_F(ModelSchedulerTest, FarDeadlineDoesNotKeepAModelThatIsGone) {
    start(10ms);
    std::mutex gate;
    gate.lock();
    session_->before_run = [&gate] { const std::lock_guard wait(gate); };
    TestCall running(&loop_, 1.0F);
    TestCall patient(&loop_, 2.0F);
    running.submit_to(scheduler_);
    loop_.end_turn();
    patient.call.request.deadline = Clock::now() + 1h;
    patient.submit_to(scheduler_);
    loop_.end_turn();
    gate.unlock();
    scheduler_->close();
    run_posted_until_complete(patient);
    const std::weak_ptr<ModelScheduler> watch = scheduler_;
    running.call.reset();
    patient.call.reset();
    scheduler_.reset();
    EXPECT_TRUE(watch.expired());
    EXPECT_TRUE(loop_.pass_to(Clock::now() + 2h));  // Has nothing to do.
}

TEST_F(ModelSchedulerTest, EveryCallIsAnsweredOnceUnderContention) {
    start(10ms);  // On the instance's thread.
    constexpr int kThreads = 3;
    constexpr int kCallsEach = 2000;
    std::vector<std::vector<std::unique_ptr<TestCall>>> calls(kThreads);
    {
        std::vector<std::jthread> submitters;
        for (auto& mine : calls) {
            submitters.emplace_back([this, &mine] {
                for (int i = 0; i < kCallsEach; ++i) {
                    mine.push_back(std::make_unique<TestCall>(nullptr, static_cast<float>(i)));
                    mine.back()->submit_to(scheduler_);
                    mine.back()->wait();
                }
            });
        }
    }
    for (const auto& mine : calls) {
        for (int i = 0; i < kCallsEach; ++i) {
            const TestCall& call = *mine[static_cast<std::size_t>(i)];
            ASSERT_EQ(call.completions, 1);
            ASSERT_EQ(call.answer.at(0), static_cast<float>(i) + 1.0F);
        }
    }
    EXPECT_EQ(metrics_->requests_ok, static_cast<std::uint64_t>(kThreads * kCallsEach));
    EXPECT_EQ(metrics_->pending, 0);
}

}  // namespace
}  // namespace lepton::scheduler
