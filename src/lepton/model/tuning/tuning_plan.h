#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lepton/core/clock.h"

namespace lepton::model {

// How long one run of that many rows took when the model was warmed up.
struct ServiceTime {
    std::int64_t rows = 1;
    Clock::duration time{};
};

// How the sessions of a model are made, as it was found by running it. It is what a process that
// tried the model tells another one, and what is kept until the next start.
struct TuningPlan {
    bool batches = false;
    bool rows_trusted = false;     // See SessionOptions.
    std::string batching;          // For a person: whether requests share a run, and why not.
    std::string warm_up;           // "done", or why it could not be.
    int threads = 1;               // Threads of each session.
    std::int64_t free_extent = 1;  // With which the model runs, for axes that are open.
    std::vector<ServiceTime> service_times;  // One per row count to prepare, ascending from 1.
    // False: each row count ran, and what would be best was not measured yet.
    bool tuned = false;
    std::string origin;  // For a person: where it is from. Not kept.

    [[nodiscard]] bool warm() const { return warm_up == "done"; }
    // Whether sessions for one of them serve as those for the other.
    [[nodiscard]] bool same_sessions(const TuningPlan& other) const;
};

}  // namespace lepton::model
