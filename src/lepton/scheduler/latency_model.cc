#include "lepton/scheduler/latency_model.h"

#include <algorithm>

namespace lepton::scheduler {
namespace {

// The entry of the run that `rows` rows lead to: the smallest prepared count that holds them.
auto entry_for(auto& estimates, std::int64_t rows) {
    const auto found = std::lower_bound(
        estimates.begin(),
        estimates.end(),
        rows,
        [](const model::ServiceTime& known, std::int64_t wanted) { return known.rows < wanted; });
    return found == estimates.end() ? std::prev(found) : found;
}

}  // namespace

Clock::duration LatencyModel::predict(std::int64_t rows) const {
    const auto& entry = *entry_for(estimates_, rows);
    const std::int64_t runs = std::max<std::int64_t>(1, (rows + entry.rows - 1) / entry.rows);
    return entry.time * runs;
}

void LatencyModel::observe(std::int64_t rows, Clock::duration took) {
    auto& entry = *entry_for(estimates_, rows);
    if (rows > entry.rows) return;  // Ran in pieces: says nothing about one run.
    took = std::min(took, entry.time * kMostGrowth);
    entry.time += (took - entry.time) / kWeight;
}

}  // namespace lepton::scheduler
