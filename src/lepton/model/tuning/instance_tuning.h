#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "lepton/engine/engine.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/tuning/tuning_plan.h"
#include "lepton/model/warm_up/declared_samples.h"

namespace lepton::model {

// The sessions of a model, and what was measured to arrive at them.
struct TunedInstances {
    std::vector<std::unique_ptr<engine::Session>> sessions;  // Prepared and warm.
    TuningPlan plan;
    // What is missing in `plan` because it would have taken too long; with it the sessions are to
    // be made again.
    std::optional<TuningPlan> rest;
};

enum class TuningEffort : std::uint8_t {
    kProve,  // Each row count that is needed runs, to see that it does; a guess at the rest.
    kTune,   // All is timed, and what does not pay is dropped.
};

struct TuningOptions {
    int cores = 1;
    TuningEffort effort = TuningEffort::kTune;
    bool first_instance_only = false;  // The others would be the same.
    // With which to measure, and to run each instance, instead of with inputs that are made up.
    std::vector<DeclaredSample> samples = {};
    // Called before what may end the process, with words for it: "run with x [4,3]".
    std::function<void(std::string_view)> on_step;
};

// Finds by measurement how a model is run best on that many cores, and makes its sessions.
//
// Threads: one, unless a run takes more than 200 us and is at least 20 % faster with the instance's
// share of the cores; a fork and join for less costs more than it brings. Not timed (kProve): one,
// and all of the share from 10 ms on, if they are not slower.
//
// Batching, where axis 0 of the model is open and the configuration does not forbid it: the graph
// must prove that rows are independent; beside that two rows are run together and alone, and where
// the answers differ, requests never share a run. Nor do those of a model whose inputs are all of
// rank 1, numbers one after the other. Without a
// max_batch_size, runs of the preferred numbers of rows are compiled, and of 4 and 16 for a model
// whose single row takes less than 1 ms; of 2, 4, 8 and 16 for one that takes up to 50 ms, if a
// probe of 4 shows that batches pay. Those are kept up to the one with the cheapest rows. With a
// max_batch_size, every power of two up to it, itself, and the preferred sizes. Not timed: only the
// 4 and 16 of quick models, and what the configuration asks for; of a model of more than 50 ms a
// row rows are not compared, which would take seconds: the proof is enough to begin with.
//
// Samples: the first is what is tried and timed; at the end each instance runs all of them, as
// often as each says, but the only one of `first_instance_only` once.
//
// Errors: those of the session; a model that does not run its warm-up is not served, unless its
// shapes are open so that the right ones cannot be known, and no sample tells them. Those of
// fit_samples() and count_rows().
Result<TunedInstances> tune_instances(engine::Graph& graph,
                                      const ModelConfig& config,
                                      TuningOptions options);

// Sessions as `plan` says: each of its row counts is compiled and runs once, and then the samples.
// Where a single row took so long that the other row counts would take longer than `patience`, they
// are left for later; requests of several rows then run row by row. Without it, nothing is.
Result<TunedInstances> make_instances(engine::Graph& graph,
                                      const ModelConfig& config,
                                      const TuningPlan& plan,
                                      std::optional<Clock::duration> patience,
                                      std::vector<DeclaredSample> samples);

}  // namespace lepton::model
