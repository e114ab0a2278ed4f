// Runs the two loops against a target in this process, whose answers the test chooses.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <queue>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "closed_loop.h"
#include "lepton/core/sync.h"
#include "open_loop.h"
#include "support/eventually.h"

namespace lepton::bench {
namespace {

using lepton::testing::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Serves one request after the other on a thread of its own; `serve` answers each.
class OneByOne final : public Target {
public:
    using Serve = std::function<Result<>(const InferRequest& request, std::uint64_t number)>;
    explicit OneByOne(Serve serve) : serve_(std::move(serve)), thread_([this] { run(); }) {}
    ~OneByOne() override {
        const MutexLock lock(mutex_);
        ending_ = true;
        changed_.notify_one();
    }

    Result<ModelInfo> model(const std::string&, const std::string&) override { return ModelInfo{}; }
    Result<std::vector<std::string>> models() override { return std::vector<std::string>{}; }
    Result<> infer(const InferRequest& request, InferResult&) override {
        return serve_(request, served_++);
    }
    void infer_async(const InferRequest& request, Callback callback, InferResult storage) override {
        const MutexLock lock(mutex_);
        queue_.push({request, std::move(callback), std::move(storage)});
        changed_.notify_one();
    }
    [[nodiscard]] std::uint64_t served() const { return served_; }
    // Those that have come and are not yet begun.
    [[nodiscard]] std::size_t waiting() {
        const MutexLock lock(mutex_);
        return queue_.size();
    }

private:
    struct Waiting {
        InferRequest request;
        Callback callback;
        InferResult storage;
    };

    void run() {
        while (true) {
            Waiting next;
            {
                MutexLock lock(mutex_);
                while (queue_.empty()) {
                    if (ending_) return;
                    changed_.wait(lock.native());
                }
                next = std::move(queue_.front());
                queue_.pop();
            }
            if (Result<> served = serve_(next.request, served_++)) {
                next.callback(std::move(next.storage));
            } else {
                next.callback(tl::unexpected<Error>(std::move(served).error()));
            }
        }
    }

    Serve serve_;
    std::atomic<std::uint64_t> served_{0};
    Mutex mutex_;
    std::condition_variable changed_;
    std::queue<Waiting> queue_ LEPTON_GUARDED_BY(mutex_);
    bool ending_ LEPTON_GUARDED_BY(mutex_) = false;
    std::jthread thread_;  // The last member: it uses all of the above.
};

Plan plan_of(milliseconds duration, std::vector<LoadClass> classes = {{"all", 1, {}, 0}}) {
    Plan plan;
    plan.classes = std::move(classes);
    plan.duration = duration;
    plan.timeout = seconds(20);
    return plan;
}

Arrivals::Options uniform(double rate) {
    return {.pattern = Pattern::kUniform, .rate = rate, .trace = {}};
}

Result<> at_once(const InferRequest&, std::uint64_t) { return {}; }

TEST(OpenLoop, CountsWhatIsPlannedInItsTimeAndNothingElse) {
    OneByOne target(at_once);
    Plan plan = plan_of(milliseconds(300));
    plan.warmup = milliseconds(100);
    const auto seen = run_open_loop(target, plan, uniform(1000));
    ASSERT_TRUE(seen);
    const Tally total = seen->total();
    EXPECT_NEAR(static_cast<double>(total.requests()), 300, 1);
    EXPECT_EQ(total.of(Outcome::kInTime), total.requests());
    EXPECT_DOUBLE_EQ(seen->seconds, 0.3);
    EXPECT_GE(target.served(), 399U);
}

TEST(OpenLoop, StallIsChargedToAllWhoShouldHaveBeenSentMeanwhile) {
    // The one request lasts until 200 others wait, which takes them 200 ms: no less than a tenth of
    // all are slow. A generator that waited for its answers would see one.
    std::function<std::size_t()> waiting;
    OneByOne target([&waiting](const InferRequest&, std::uint64_t number) -> Result<> {
        if (number == 100) {
            EXPECT_TRUE(eventually([&] { return waiting() >= 200; }));
        }
        return {};
    });
    waiting = [&target] { return target.waiting(); };
    const auto seen = run_open_loop(target, plan_of(milliseconds(1000)), uniform(1000));
    ASSERT_TRUE(seen);
    const Histogram latency = seen->total().latency();
    EXPECT_GE(latency.max(), 200'000'000U);
    EXPECT_GE(latency.quantile(0.9), 50'000'000U);
    EXPECT_GE(seen->max_in_flight, 100U);
}

TEST(OpenLoop, DeadlineIsToldFromThePlannedTimeAndTheClientIsPatient) {
    std::atomic<int> wrong = 0;
    OneByOne target([&wrong](const InferRequest& request, std::uint64_t) -> Result<> {
        // Planned in the past or just now, so the deadline is no later than its class allows.
        if (request.deadline > Clock::now() + milliseconds(70)) ++wrong;
        if (request.grace != seconds(20)) ++wrong;
        if (request.priority != 3) ++wrong;
        return {};
    });
    const auto seen = run_open_loop(
        target, plan_of(milliseconds(100), {{"all", 1, milliseconds(70), 3}}), uniform(500));
    ASSERT_TRUE(seen);
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(target.served(), 0U);
}

TEST(OpenLoop, SlowAnswersAreLateAndRefusalsAreMisses) {
    OneByOne target([](const InferRequest& request, std::uint64_t number) -> Result<> {
        if (number % 2 == 0) return fail(ErrorCode::kOverloaded, "busy");
        EXPECT_TRUE(eventually([&] { return Clock::now() > request.deadline; }));
        return {};
    });
    const auto seen = run_open_loop(
        target, plan_of(milliseconds(200), {{"all", 1, milliseconds(2), 0}}), uniform(50));
    ASSERT_TRUE(seen);
    const Tally total = seen->total();
    EXPECT_GE(total.requests(), 9U);
    EXPECT_EQ(total.of(Outcome::kLate) + total.of(Outcome::kRefused) + total.of(Outcome::kExpired),
              total.requests());
    EXPECT_GT(total.of(Outcome::kLate), 0U);
    EXPECT_DOUBLE_EQ(total.attainment(), 0);
}

TEST(OpenLoop, ReplayEndsWithItsTraceAndKeepsItsClasses) {
    OneByOne target(at_once);
    Arrivals::Options arrivals{.pattern = Pattern::kReplay, .trace = {}};
    for (int i = 0; i < 20; ++i) {
        arrivals.trace.push_back({milliseconds(2 * i), i % 4 == 0 ? "b" : "a"});
    }
    const auto seen =
        run_open_loop(target, plan_of(seconds(60), {{"a", 1, {}, 0}, {"b", 1, {}, 0}}), arrivals);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->by_class[0].requests(), 15U);
    EXPECT_EQ(seen->by_class[1].requests(), 5U);
    EXPECT_NEAR(seen->seconds, 0.038, 1e-6);
}

TEST(OpenLoop, TraceThatNamesAnUnknownClassIsRefused) {
    OneByOne target(at_once);
    const auto seen = run_open_loop(
        target, plan_of(seconds(1)), {.pattern = Pattern::kReplay, .trace = {{seconds(0), "x"}}});
    ASSERT_FALSE(seen);
    EXPECT_NE(seen.error().message.find("class \"x\""), std::string::npos);
    EXPECT_EQ(target.served(), 0U);
}

TEST(ClosedLoop, EveryThreadHasOneRequestUnderWay) {
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    OneByOne target([&](const InferRequest&, std::uint64_t) -> Result<> {
        const int now = ++inside;
        int known = most;
        while (known < now && !most.compare_exchange_weak(known, now)) {
        }
        EXPECT_TRUE(eventually([&most] { return most >= 4; }));
        --inside;
        return {};
    });
    const Measurement seen = run_closed_loop(target, plan_of(milliseconds(200)), 4);
    EXPECT_EQ(most, 4);
    EXPECT_GT(seen.total().requests(), 4U);
    EXPECT_EQ(seen.total().requests(), target.served());
}

// Four threads that always wait for 50 ms get 80 answers a second, even if a request of the warm-up
// is in flight when the counting begins, and one that counts when it should end.
TEST(ClosedLoop, RateIsThatOfWholeRequests) {
    OneByOne target([](const InferRequest&, std::uint64_t) -> Result<> {
        const Clock::time_point end = Clock::now() + milliseconds(50);
        EXPECT_TRUE(eventually([end] { return Clock::now() >= end; }));
        return {};
    });
    Plan plan = plan_of(milliseconds(80));
    plan.warmup = milliseconds(10);
    const Measurement seen = run_closed_loop(target, plan, 4);
    const Tally total = seen.total();
    ASSERT_GE(total.requests(), 4U);
    const double each = total.latency().mean() * 1e-9;
    EXPECT_NEAR(static_cast<double>(total.requests()) / seen.seconds * each, 4, 0.3);
}

TEST(ClosedLoop, ErrorsAreCountedAndTheLoopGoesOn) {
    OneByOne target([](const InferRequest&, std::uint64_t number) -> Result<> {
        if (number % 2 == 0) return fail(ErrorCode::kInternal, "broken");
        return {};
    });
    const Measurement seen = run_closed_loop(target, plan_of(milliseconds(50)), 1);
    const Tally total = seen.total();
    EXPECT_GT(total.answered(), 0U);
    EXPECT_GT(total.of(Outcome::kFailed), 0U);
    EXPECT_EQ(total.answered() + total.of(Outcome::kFailed), total.requests());
}

}  // namespace
}  // namespace lepton::bench
