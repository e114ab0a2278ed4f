// Calls without a loop: which thread runs them.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fakes/fake_session.h"
#include "lepton/scheduler/model_scheduler.h"
#include "support/eventually.h"

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;
using lepton::testing::eventually;

// A request of one row, and what became of it.
class TestCall final : private CallStage {
public:
    explicit TestCall(bool caller_waits) {
        call.caller_waits = caller_waits;
        call.push(*this);
        call.timeline.received = call.timeline.decoded = Clock::now();
        call.request.inputs.push_back(
            {"x", {DataType::kFp32, {1, 2}, std::as_bytes(std::span(data_))}});
    }

    void submit_to(const std::shared_ptr<ModelScheduler>& scheduler) {
        ASSERT_TRUE(scheduler->submit(call));
    }
    bool complete() {
        const std::lock_guard lock(mutex_);
        return complete_;
    }
    bool wait() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 10s, [this] { return complete_; });
    }

    InferCall call;

private:
    void on_answer(InferCall& /*call*/, Last /*last*/) noexcept override {
        const std::lock_guard lock(mutex_);
        complete_ = true;
        changed_.notify_all();
    }

    std::vector<float> data_ = {1.0F, 2.0F};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool complete_ = false;
};

class CallingThreadTest : public ::testing::Test {
protected:
    // `run_time` is what the warm-up measured.
    explicit CallingThreadTest(Clock::duration run_time = 100ms) {
        auto spec = std::make_shared<ModelSpec>();
        spec->name = "plus_one";
        spec->version = "12";
        spec->inputs = {{"x", DataType::kFp32, {-1, 2}}};
        spec->outputs = {{"y", DataType::kFp32, {-1, 2}}};
        spec->batches = true;
        auto loaded = std::make_shared<model::LoadedModel>();
        loaded->spec = spec;
        auto session = std::make_unique<fakes::FakeSession>();
        session_ = session.get();
        session_->before_run = [this] { ran_on_.push_back(std::this_thread::get_id()); };
        loaded->sessions.push_back(std::move(session));
        loaded->service_times = {{1, run_time}, {4, run_time}};
        scheduler_ = std::make_shared<ModelScheduler>(
            loaded, std::make_shared<observe::ModelMetrics>("plus_one", "12"), 0);
    }
    void TearDown() override { scheduler_->close(); }

    std::vector<std::thread::id> ran_on_;
    fakes::FakeSession* session_ = nullptr;
    std::shared_ptr<ModelScheduler> scheduler_;
};

TEST_F(CallingThreadTest, LongRunTakesPlaceOnTheThreadThatWaitsForIt) {
    TestCall call(true);
    call.submit_to(scheduler_);
    EXPECT_TRUE(call.complete());
    EXPECT_EQ(ran_on_, std::vector{std::this_thread::get_id()});
}

TEST_F(CallingThreadTest, LongRunOfACallerThatDoesNotWaitTakesPlaceOnTheInstancesThread) {
    TestCall call(false);
    call.submit_to(scheduler_);
    ASSERT_TRUE(call.wait());
    ASSERT_EQ(ran_on_.size(), 1u);
    EXPECT_NE(ran_on_[0], std::this_thread::get_id());
}

TEST_F(CallingThreadTest, WhatQueuedUpDuringTheRunIsTheInstancesThreadsToRun) {
    TestCall first(true);
    TestCall second(true);
    const auto note = session_->before_run;
    session_->before_run = [&] {
        note();
        if (ran_on_.size() > 1) return;
        std::thread([&] { second.submit_to(scheduler_); }).join();
        EXPECT_FALSE(second.complete());
    };
    first.submit_to(scheduler_);
    EXPECT_TRUE(first.complete());
    ASSERT_TRUE(second.wait());
    ASSERT_EQ(ran_on_.size(), 2u);
    EXPECT_EQ(ran_on_[0], std::this_thread::get_id());
    EXPECT_NE(ran_on_[1], std::this_thread::get_id());
}

TEST_F(CallingThreadTest, ExpireEndsQueuedCallsWhoseDeadlineHasPassed) {
    TestCall first(true);
    TestCall late(true);
    TestCall patient(true);
    const auto note = session_->before_run;
    session_->before_run = [&] {
        note();
        if (ran_on_.size() > 1) return;
        late.call.request.deadline = Clock::now() + 1ms;
        std::thread([&] {
            late.submit_to(scheduler_);
            patient.submit_to(scheduler_);
        }).join();
        EXPECT_TRUE(eventually([&] { return Clock::now() >= late.call.request.deadline; }));
        late.call.expire();
        EXPECT_TRUE(late.complete());
        EXPECT_FALSE(patient.complete());
    };
    first.submit_to(scheduler_);
    ASSERT_TRUE(late.call.response.error.has_value());
    EXPECT_EQ(late.call.response.error->code, ErrorCode::kDeadlineExceeded);
    ASSERT_TRUE(patient.wait());
    EXPECT_FALSE(patient.call.response.error.has_value());
}

class ShortRunTest : public CallingThreadTest {
protected:
    ShortRunTest() : CallingThreadTest(10us) {}
};

TEST_F(ShortRunTest, TakesPlaceOnTheCallingThreadThoughItDoesNotWait) {
    TestCall call(false);
    call.submit_to(scheduler_);
    EXPECT_TRUE(call.complete());
    EXPECT_EQ(ran_on_, std::vector{std::this_thread::get_id()});
}

}  // namespace
}  // namespace lepton::scheduler
