#pragma once

#include "sim/mix.h"

namespace lepton::sim {

// A quick model (2 ms) with tight deadlines (25 ms) beside a slow one (14 ms for a row, 230 ms for
// 16) that always has a backlog without deadlines.
Mix quick_and_slow(int cores, Pattern pattern, std::uint64_t seed);

// Slow models that all always have a backlog, without deadlines, one per weight.
Mix all_saturated(int cores, const std::vector<double>& weights, std::uint64_t seed);

// Slow models with deadlines, together at this share of what the cores can do.
Mix all_with_deadlines(int cores, int models, double load, Pattern pattern, std::uint64_t seed);

}  // namespace lepton::sim
