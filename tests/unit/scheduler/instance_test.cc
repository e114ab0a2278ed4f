#include "lepton/scheduler/instance.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fakes/fake_session.h"

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;

// Notes what it is told, and by which thread.
class Notes final : public InstanceOwner {
public:
    void on_run(Instance&, std::int64_t rows, Clock::duration, Clock::time_point) override {
        rows_run += rows;
    }
    void on_computed(InferCall& call) override {
        ++answers;
        failed += call.response.error ? 1 : 0;
        thread = std::this_thread::get_id();
    }
    void on_idle(Instance&, bool ran) override {
        const std::lock_guard lock(mutex_);
        idle_.push_back(ran);
        changed_.notify_all();
    }
    // What on_idle() was told, once it was so often.
    std::vector<bool> wait_for(std::size_t times) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, 30s, [&] { return idle_.size() >= times; });
        return idle_;
    }

    std::int64_t rows_run = 0;
    int answers = 0;
    int failed = 0;
    std::thread::id thread;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<bool> idle_;
};

class InstanceTest : public testing::Test {
protected:
    InstanceTest() {
        spec_.inputs = {{"x", DataType::kFp32, {-1, 2}}};
        spec_.outputs = {{"y", DataType::kFp32, {-1, 2}}};
        spec_.batches = true;
        instance_.emplace(notes_, mutex_, 3, session_, spec_, RunLimits{});
        call_.request.inputs.push_back(
            {"x", {DataType::kFp32, {1, 2}, std::as_bytes(std::span(data_))}});
    }
    void TearDown() override { instance_->join(); }

    std::vector<float> data_ = {1.0F, 2.0F};
    InferCall call_;
    std::vector<InferCall*> batch_ = {&call_};
    Notes notes_;
    Mutex mutex_;
    ModelSpec spec_;
    fakes::FakeSession session_;
    std::optional<Instance> instance_;
};

TEST_F(InstanceTest, RunsOnTheCallingThreadWithoutTellingThatItIsIdle) {
    instance_->run(batch_);
    EXPECT_EQ(notes_.answers, 1);
    EXPECT_EQ(notes_.failed, 0);
    EXPECT_EQ(notes_.rows_run, 1);
    EXPECT_EQ(notes_.thread, std::this_thread::get_id());
    EXPECT_EQ(instance_->index(), 3u);
}

TEST_F(InstanceTest, RunsWhatItIsHandedOnItsOwnThreadAndSaysWhenItIsDone) {
    {
        const MutexLock lock(mutex_);
        instance_->hand_over(batch_);
    }
    instance_->wake();
    EXPECT_EQ(notes_.wait_for(1), std::vector{true});
    EXPECT_EQ(notes_.answers, 1);
    EXPECT_NE(notes_.thread, std::this_thread::get_id());
}

TEST_F(InstanceTest, LooksForWorkAtTheEarliestTimeThatItWasGiven) {
    {
        const MutexLock lock(mutex_);
        instance_->look_at(Clock::now() + 1h);
        instance_->look_at(Clock::now());
    }
    instance_->wake();
    EXPECT_EQ(notes_.wait_for(1), std::vector{false});
    EXPECT_EQ(notes_.answers, 0);
}

TEST_F(InstanceTest, JoinEndsAThreadThatWaitsForAFarTime) {
    {
        const MutexLock lock(mutex_);
        instance_->look_at(Clock::now() + 1h);
    }
    instance_->join();
    instance_->join();
    EXPECT_TRUE(notes_.wait_for(0).empty());
}

}  // namespace
}  // namespace lepton::scheduler
