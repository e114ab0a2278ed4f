#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/simulation.h"

namespace lepton::sim {

// One of several models on the same cores, each of whose runs keeps one core busy.
struct MixedModel {
    ServiceCurve curve;
    std::vector<Arrival> arrivals;
    model::QueueOptions queue{};
    std::int64_t max_rows = 16;
    int instances = 1;
};

struct Mix {
    std::string name;
    std::vector<MixedModel> models;
    int cores = 1;
    // Without, every idle instance runs what it has, and the runs share the cores evenly, as under
    // the kernel's scheduler.
    bool budget = true;
    std::uint64_t seed = 1;
};

struct MixOutcome {
    std::vector<Outcome> models;
    std::vector<Clock::duration> cpu;  // Of each, until the first model's last arrival.
    int most_cores = 0;                // That were in use at the same time.
};

// Plays the arrivals of all models against the product's policies and core budget.
MixOutcome simulate(const Mix& mix);

// The time within which this share of a model's answered requests were answered.
Clock::duration latency_at(const MixedModel& model, const Outcome& outcome, double share);

}  // namespace lepton::sim
