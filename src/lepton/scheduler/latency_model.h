#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/model/loaded_model.h"

namespace lepton::scheduler {

// How long a run will take, by its rows: seeded by the warm-up, kept up to date by what is
// measured. A run that took much longer than ever is mostly an interruption by something else, so
// each measurement counts for at most kMostGrowth times the estimate. Not thread-safe; the owner
// serialises.
class LatencyModel {
public:
    explicit LatencyModel(std::span<const model::ServiceTime> seeds)
        : estimates_(seeds.begin(), seeds.end()) {}

    // For rows beyond the largest known count: as many whole runs of it as needed.
    [[nodiscard]] Clock::duration predict(std::int64_t rows) const;
    void observe(std::int64_t rows, Clock::duration took);

private:
    static constexpr int kMostGrowth = 4;
    static constexpr int kWeight = 8;  // A new measurement moves the estimate by 1/kWeight.

    std::vector<model::ServiceTime> estimates_;  // Ascending by rows.
};

}  // namespace lepton::scheduler
