// Schedulers of several models that share cores, with their threads.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
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

// As the engine of a run does, which has its core for all of that time.
void compute_for(Clock::duration time) {
    const Clock::time_point end = Clock::now() + time;
    while (Clock::now() < end) {
    }
}

// Says how long runs last, counts what ends, and what runs at the same time.
struct Scene {
    void run(Clock::duration takes) {
        const int now = running.fetch_add(1) + 1;
        int most = most_running.load();
        while (now > most && !most_running.compare_exchange_weak(most, now)) {
        }
        compute(takes);
        running.fetch_sub(1);
    }
    void ended(bool ok) {
        const std::lock_guard lock(mutex);
        ++complete;
        failed += ok ? 0 : 1;
        changed.notify_all();
    }
    bool wait_for(int calls) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, 30s, [&] { return complete >= calls; });
    }

    std::function<void(Clock::duration takes)> compute = compute_for;
    std::atomic<int> running{0};
    std::atomic<int> most_running{0};
    std::mutex mutex;
    std::condition_variable changed;
    int complete = 0;
    int failed = 0;
};

struct TestCall final : private CallStage {
    explicit TestCall(Scene& of) : scene(of) {
        call.push(*this);
        call.timeline.received = call.timeline.decoded = Clock::now();
        call.request.inputs.push_back(
            {"x", {DataType::kFp32, {1, 2}, std::as_bytes(std::span(data))}});
    }
    void submit_to(const std::shared_ptr<ModelScheduler>& scheduler) {
        ASSERT_TRUE(scheduler->submit(call));
    }
    void on_answer(InferCall& done, Last /*last*/) noexcept override {
        scene.ended(!done.response.error.has_value());
    }

    Scene& scene;
    std::vector<float> data = {1.0F, 2.0F};
    InferCall call;
};

class SharedCoresTest : public ::testing::Test {
protected:
    // `takes`: what is known of its runs beforehand.
    std::shared_ptr<ModelScheduler> serve(const char* name, int instances, Clock::duration takes) {
        auto spec = std::make_shared<ModelSpec>();
        spec->name = name;
        spec->version = "12";
        spec->inputs = {{"x", DataType::kFp32, {-1, 2}}};
        spec->outputs = {{"y", DataType::kFp32, {-1, 2}}};
        spec->batches = true;
        auto loaded = std::make_shared<model::LoadedModel>();
        loaded->spec = spec;
        for (int i = 0; i < instances; ++i) {
            auto session = std::make_unique<fakes::FakeSession>();
            session->before_run = [this, takes] { scene.run(takes); };
            loaded->sessions.push_back(std::move(session));
        }
        loaded->service_times = {{1, takes}, {4, takes}};
        metrics.push_back(std::make_shared<observe::ModelMetrics>(name, "12"));
        schedulers.push_back(std::make_shared<ModelScheduler>(loaded, metrics.back(), 0, cores));
        return schedulers.back();
    }
    void TearDown() override {
        for (const auto& scheduler : schedulers) scheduler->close();
        EXPECT_EQ(cores->in_use(), 0);
    }

    Scene scene;
    std::shared_ptr<SharedCores> cores = std::make_shared<SharedCores>(1);
    std::vector<std::shared_ptr<observe::ModelMetrics>> metrics;
    std::vector<std::shared_ptr<ModelScheduler>> schedulers;
};

TEST_F(SharedCoresTest, NoMoreRunsThanCoresAndEveryCallIsAnswered) {
    constexpr int kThreads = 3;
    constexpr int kCalls = 40;  // Of each thread, to each model.
    serve("a", 2, 2ms);
    serve("b", 1, 1ms);
    serve("c", 2, 3ms);
    std::vector<std::unique_ptr<TestCall>> calls;
    calls.reserve(std::size_t{3} * kThreads * kCalls);
    for (int i = 0; i < 3 * kThreads * kCalls; ++i) {
        calls.push_back(std::make_unique<TestCall>(scene));
    }
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (std::size_t i = t; i < calls.size(); i += kThreads) {
                calls[i]->call.caller_waits = i % 5 == 0;
                if (i % 7 == 0) calls[i]->call.request.deadline = Clock::now() + 20s;
                calls[i]->submit_to(schedulers[(i / kThreads) % 3]);
                // Now and then the models have nothing left to do.
                if (i % 16 == 0) {
                    EXPECT_TRUE(scene.wait_for(static_cast<int>(i / kThreads)));
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(scene.wait_for(static_cast<int>(calls.size()))) << scene.complete;
    EXPECT_EQ(scene.failed, 0);
    EXPECT_EQ(scene.most_running.load(), 1);
    for (const auto& of : metrics) EXPECT_GT(of->core_nanoseconds.load(), 0u) << of->model;
}

TEST_F(SharedCoresTest, ModelAloneUsesAllItsInstances) {
    const auto alone = serve("alone", 2, 2ms);
    std::latch both(2);
    scene.compute = [&both](Clock::duration) {
        both.count_down();
        EXPECT_TRUE(eventually([&both] { return both.try_wait(); }));
    };
    TestCall first(scene);
    TestCall second(scene);
    first.submit_to(alone);
    second.submit_to(alone);
    ASSERT_TRUE(scene.wait_for(2));
    EXPECT_EQ(scene.most_running.load(), 2);
}

TEST_F(SharedCoresTest, CallThatExpiresWithoutCoresLeavesThemToOthers) {
    const auto a = serve("a", 1, 2ms);
    const auto b = serve("b", 1, 2ms);
    std::latch gate(1);
    scene.compute = [&gate](Clock::duration) { gate.wait(); };
    TestCall running(scene);
    running.submit_to(a);
    ASSERT_TRUE(eventually([&] { return scene.running.load() > 0; }));
    TestCall waits(scene);
    waits.submit_to(b);
    waits.call.cancelled = true;  // Nothing of b is left to run once it may.
    TestCall next(scene);
    next.submit_to(a);
    gate.count_down();
    ASSERT_TRUE(scene.wait_for(3));
    EXPECT_EQ(scene.failed, 1);
}

TEST_F(SharedCoresTest, WhoeverWaitsGoesOnWhenTheOthersAreGone) {
    const auto a = serve("a", 1, 2ms);
    const auto b = serve("b", 1, 2ms);
    std::latch gate(1);
    scene.compute = [&gate](Clock::duration takes) {
        gate.wait();
        compute_for(takes);
    };
    std::vector<std::unique_ptr<TestCall>> calls;
    for (int i = 0; i < 12; ++i) {
        calls.push_back(std::make_unique<TestCall>(scene));
        calls.back()->submit_to(i % 2 == 0 ? a : b);
    }
    gate.count_down();
    a->close();
    ASSERT_TRUE(scene.wait_for(12));
    EXPECT_EQ(scene.failed, 0);
}

}  // namespace
}  // namespace lepton::scheduler
