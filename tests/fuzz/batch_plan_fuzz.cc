// Plans any queue. Whatever the calls' deadlines and rows and the learned times are, a plan must
// name calls of the queue, each once and in order, and a first batch that fits.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <span>
#include <vector>

#include "fuzz/numbers.h"
#include "lepton/scheduler/batch_plan.h"

namespace lepton::scheduler {
namespace {

using fuzz::Numbers;

void require(bool condition) {
    if (!condition) std::abort();
}

void check_places(std::span<const std::size_t> places, std::size_t calls) {
    require(std::adjacent_find(places.begin(), places.end(), std::greater_equal<>()) ==
            places.end());
    require(places.empty() || places.back() < calls);
}

void run(std::span<const std::uint8_t> input) {
    static BatchPlanner planner;
    Numbers numbers(input);
    const Clock::time_point now = Clock::time_point() + std::chrono::hours(1);
    const std::int64_t largest = 1 + static_cast<std::int64_t>(numbers.below(32));
    std::vector<model::ServiceTime> seeds = {{1, std::chrono::microseconds(1 + numbers.byte())}};
    if (largest > 1) seeds.push_back({largest, std::chrono::microseconds(10 + numbers.byte())});
    LatencyModel latency(seeds, now);
    BatchPlanner::Options options;
    options.max_rows = largest;
    options.stretch = 1 + numbers.byte() / 16.0;
    options.price = numbers.byte() * 1000.0;
    options.margin = numbers.byte() / 255.0;
    options.protect = numbers.below(2) == 0;
    options.protected_priority = static_cast<std::uint32_t>(numbers.below(4));
    std::vector<Clock::time_point> free_at;
    for (std::size_t i = 0; i < 1 + numbers.below(4); ++i) {
        free_at.push_back(now + std::chrono::microseconds(numbers.byte() * 10 - 100));
    }
    CallQueue queue;
    while (!numbers.empty() && queue.size() < 200) {
        QueuedCall call;
        call.arrived = now;
        const std::uint8_t wait = numbers.byte();
        call.deadline =
            wait == 255 ? kNoDeadline : now + std::chrono::microseconds(wait * 20 - 200);
        call.due = wait == 255 ? now + std::chrono::seconds(1) : call.deadline;
        call.rows = 1 + static_cast<std::int64_t>(numbers.below(static_cast<std::size_t>(largest)));
        call.shape_class = numbers.below(3);
        call.priority = static_cast<std::uint32_t>(numbers.below(4));
        call.client = numbers.below(5);
        call.latency = &latency;
        queue.insert(call);
        if (wait % 16 == 3) {
            latency.observe(call.rows, std::chrono::microseconds(1 + wait), now);
        }
        if (wait % 32 == 5) queue.remove(wait % queue.size());
    }
    if (queue.empty()) return;
    if (numbers.below(2) == 0) options.candidate = numbers.below(queue.size());
    const auto* plan = planner.best(queue.calls(), free_at, now, options);
    if (plan == nullptr) return require(options.protect);
    check_places(plan->first_batch, queue.size());
    check_places(plan->late, queue.size());
    std::int64_t rows = 0;
    for (const std::size_t place : plan->first_batch) {
        const QueuedCall& call = queue.calls()[place];
        require(call.shape_class == queue.calls()[plan->first_batch.front()].shape_class);
        rows += call.rows;
    }
    require(rows <= options.max_rows);
}

}  // namespace
}  // namespace lepton::scheduler

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lepton::scheduler::run({data, size});
    return 0;
}
