// What it costs a request to find its model, by how many threads look at the same time.

#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "lepton/pipeline/model_directory.h"

namespace lepton::bench {
namespace {

class EmptyNode final : public Node {
public:
    bool submit(InferCall&) override { return true; }
    Clock::duration forecast(std::int64_t, std::size_t) override { return {}; }
};

struct Directory {
    Directory() {
        for (int i = 0; i < 16; ++i) {
            nodes.push_back(std::make_shared<EmptyNode>());
            models.put("model_" + std::to_string(i), "1", nodes.back());
        }
    }
    std::vector<std::shared_ptr<Node>> nodes;
    pipeline::ModelDirectory models;
};

void find(benchmark::State& state) {
    static const Directory directory;
    const std::string name = "model_" + std::to_string(state.thread_index());
    for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(directory.models.find(name, {}));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(find)->Threads(1)->Threads(2)->Threads(4);

}  // namespace
}  // namespace lepton::bench

BENCHMARK_MAIN();
