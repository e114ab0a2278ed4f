// What the scheduler costs: calls that come in one turn of a loop, around an engine that does
// nothing. Argument: how many calls come in a turn.

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench_exchange.h"
#include "fakes/fake_loop.h"
#include "lepton/scheduler/model_scheduler.h"

namespace lepton::bench {
namespace {

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
    using namespace std::chrono_literals;
    auto model = std::make_shared<model::LoadedModel>();
    model->spec = make_spec(kWidth, kWidth);
    model->sessions.push_back(std::make_unique<IdleSession>());
    model->service_times = {{1, 1us}, {kMostRows, 1us}};
    return std::make_shared<scheduler::ModelScheduler>(
        model, std::make_shared<observe::ModelMetrics>("mlp", "1"), 1, std::move(cores));
}

void ask(InferCall& call, EventLoop& loop, const std::vector<float>& row, int& answered) {
    call.reset();
    call.loop = &loop;
    call.context = &answered;
    call.on_complete = [](InferCall& done) noexcept {
        ++*static_cast<int*>(done.context);
        done.timeline.written = Clock::now();
        if (done.on_written != nullptr) done.on_written(done);
    };
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
    int answered = 0;
    for (auto _ : state) {
        for (const auto& call : calls) {
            ask(*call, loop, row, answered);
            call->route = scheduler;
            static_cast<void>(scheduler->submit(*call));
        }
        loop.end_turn();
    }
    const auto asked = state.iterations() * state.range(0);
    if (answered != asked) state.SkipWithError("not every call was answered");
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

}  // namespace
}  // namespace lepton::bench

BENCHMARK_MAIN();
