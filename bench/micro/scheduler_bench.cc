// What the scheduler costs a request. `turn`: calls that come in one turn of a loop, around an
// engine that does nothing, by how many come in a turn. `overload`: more calls with deadlines than
// can be served, by how many times as many.

#include <array>
#include <cstddef>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench_exchange.h"
#include "fakes/fake_loop.h"
#include "lepton/scheduler/model_scheduler.h"

namespace lepton::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kWidth = 128;
constexpr std::int64_t kMostRows = 16;

// Gives its input back.
class IdleSession final : public engine::Session {
public:
    Result<> prepare(std::int64_t) override { return {}; }
    void drop(std::int64_t) override {}
    [[nodiscard]] std::span<const std::int64_t> prepared() const override { return prepared_; }
    [[nodiscard]] std::span<std::byte> slot(std::size_t) override {
        return std::as_writable_bytes(std::span(slot_));
    }
    Result<> run(std::int64_t,
                 std::span<const TensorView> inputs,
                 std::span<TensorView> outputs) override {
        outputs[0] = inputs[0];
        return {};
    }

private:
    std::vector<std::int64_t> prepared_{1, 2, 4, 8, kMostRows};
    std::vector<float> slot_ = std::vector<float>(static_cast<std::size_t>(kWidth * kMostRows));
};

std::shared_ptr<scheduler::ModelScheduler> make_scheduler(
    std::shared_ptr<scheduler::SharedCores> cores) {
    auto model = std::make_shared<model::LoadedModel>();
    model->spec = make_spec(kWidth, kWidth);
    model->sessions.push_back(std::make_unique<IdleSession>());
    model->service_times = {{1, 1us}, {kMostRows, 1us}};
    return std::make_shared<scheduler::ModelScheduler>(
        model, std::make_shared<observe::ModelMetrics>("mlp", "1"), 1, std::move(cores));
}

// Counts the answers.
struct Asker final : CallStage {
    void on_answer(InferCall& call, Last /*last*/) noexcept override {
        ++answered;
        call.timeline.written = Clock::now();
        call.written();
    }
    int answered = 0;
};

void ask(InferCall& call, EventLoop& loop, const std::vector<float>& row, Asker& asker) {
    call.reset();
    call.loop = &loop;
    call.push(asker);
    call.timeline.received = call.timeline.decoded = Clock::now();
    call.request.inputs.push_back(
        {"x", {DataType::kFp32, {1, kWidth}, std::as_bytes(std::span(row))}});
}

void run_turns(benchmark::State& state, const std::shared_ptr<scheduler::SharedCores>& cores) {
    const auto scheduler = make_scheduler(cores);
    fakes::FakeLoop loop;
    const std::vector<float> row(kWidth);
    std::vector<std::unique_ptr<InferCall>> calls;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        calls.push_back(std::make_unique<InferCall>());
    }
    Asker asker;
    for (auto _ : state) {
        for (const auto& call : calls) {
            ask(*call, loop, row, asker);
            static_cast<void>(scheduler->submit(*call));
        }
        loop.end_turn();
    }
    const auto asked = state.iterations() * state.range(0);
    if (asker.answered != asked) state.SkipWithError("not every call was answered");
    state.SetItemsProcessed(asked);
    scheduler->close();
}
void turn(benchmark::State& state) {
    run_turns(state, std::make_shared<scheduler::SharedCores>(1));
}
BENCHMARK(turn)->Arg(1)->Arg(4)->Arg(16);

// Another model competes for the core.
void turn_beside_another(benchmark::State& state) {
    const auto cores = std::make_shared<scheduler::SharedCores>(1);
    cores->add(1, 1, 1);
    run_turns(state, cores);
}
BENCHMARK(turn_beside_another)->Arg(1)->Arg(4)->Arg(16);

// One instance under a simulated clock, with deadlines of 6, 14 and 36 single-row times.
class OverloadedInstance {
public:
    explicit OverloadedInstance(std::int64_t load)
        : gap_(static_cast<double>(load * kMostRows) / std::chrono::duration<double>(58ms).count()),
          calls_(kMostWaiting),
          policy_(scheduler::make_policy({}, kMostRows, kTimes, now_)) {
        for (InferCall& call : calls_) idle_.push_back(&call);
    }

    void next_request() {
        const std::chrono::duration<double> gap(gap_(random_));
        now_ += std::chrono::duration_cast<Clock::duration>(gap);
        while (free_at_ <= now_ && begin_run()) {
        }
        InferCall& call = *idle_.back();
        idle_.pop_back();
        call.rows = 1;
        call.request.deadline = now_ + kDeadlines.at(random_() % kDeadlines.size());
        const std::array free{std::max(free_at_, now_)};
        if (!policy_->admit(call, {.now = now_, .free_at = free}, refused_)) idle_.push_back(&call);
        recycle();
    }

    [[nodiscard]] std::int64_t answered() const { return answered_; }

private:
    static constexpr std::size_t kMostWaiting = 1024;
    static constexpr std::array<Clock::duration, 3> kDeadlines{30ms, 70ms, 180ms};
    static constexpr std::array<model::ServiceTime, 5> kTimes{
        {{1, 5ms}, {2, 8200us}, {4, 15ms}, {8, 29ms}, {kMostRows, 58ms}}};

    bool begin_run() {
        idle_.insert(idle_.end(), batch_.begin(), batch_.end());
        batch_.clear();
        const std::array free{free_at_};
        policy_->next_batch({.now = free_at_, .free_at = free}, batch_, refused_);
        recycle();
        if (batch_.empty()) return false;
        const auto rows = static_cast<std::int64_t>(batch_.size());
        free_at_ += policy_->latency_of(*batch_.front(), free_at_).typical(rows);
        answered_ += rows;
        return true;
    }

    void recycle() {
        for (const scheduler::Refused& one : refused_) idle_.push_back(one.call);
        refused_.clear();
    }

    Clock::time_point now_{1h};
    Clock::time_point free_at_ = now_;
    std::mt19937_64 random_{1};
    std::exponential_distribution<double> gap_;
    std::vector<InferCall> calls_;
    std::vector<InferCall*> idle_;
    std::vector<InferCall*> batch_;
    std::vector<scheduler::Refused> refused_;
    std::int64_t answered_ = 0;
    std::unique_ptr<scheduler::Policy> policy_;
};

void overload(benchmark::State& state) {
    OverloadedInstance instance(state.range(0));
    for (auto _ : state) instance.next_request();
    state.SetItemsProcessed(state.iterations());
    state.counters["answered"] = benchmark::Counter(static_cast<double>(instance.answered()),
                                                    benchmark::Counter::kAvgIterations);
}
BENCHMARK(overload)->Arg(1)->Arg(2)->Arg(10);

}  // namespace
}  // namespace lepton::bench

BENCHMARK_MAIN();
