#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/engine/engine.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/model_config.h"

namespace lepton::model {

// The sessions of a model, and what was measured to arrive at them.
struct TunedInstances {
    std::vector<std::unique_ptr<engine::Session>> sessions;  // Prepared and warm.
    std::vector<ServiceTime> service_times;                  // One per prepared row count.
    bool batches = false;
    std::string batching;  // For a person: whether requests share a run, and why not.
    std::string warm_up;   // "done", or why it could not be.
    int threads = 1;
};

// Finds by measurement how a model is run best on `cores` cores, and makes its sessions.
//
// Threads: one, unless a run takes more than 200 us and is at least 20 % faster with the instance's
// share of the cores; a fork and join for less costs more than it brings.
//
// Batching, where axis 0 of the model is open and the configuration does not forbid it: the graph
// must prove that rows are independent; beside that two rows are run together and alone, and where
// the answers differ, requests never share a run. Nor do those of a model whose inputs are all of
// rank 1, numbers one after the other. Without a
// max_batch_size, runs of the preferred numbers of rows are compiled, and of 4 and 16 for a model
// whose single row takes less than 1 ms; of 2, 4, 8 and 16 for one that takes up to 50 ms, if a
// probe of 4 shows that batches pay. Those are kept up to the one with the cheapest rows. With a
// max_batch_size, every power of two up to it, itself, and the preferred sizes.
//
// Errors: those of the session; a model that does not run its warm-up is not served, unless its
// shapes are open so that the right ones cannot be known.
Result<TunedInstances> tune_instances(engine::Graph& graph, const ModelConfig& config, int cores);

}  // namespace lepton::model
