#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"
#include "lepton/engine/engine.h"
#include "lepton/model/config/model_config.h"

namespace lepton::model {

// Holds a model's signature against what its configuration says of it.
//
// The result are the shapes of inputs that the configuration fixes where the model leaves them
// open, for engine::OpenOptions; mostly none. Errors: kInvalidArgument naming both sides, for a
// tensor that the model lacks, another datatype, or another shape.
Result<std::vector<std::pair<std::string, Shape>>> check_signature(const engine::Graph& graph,
                                                                   const ModelConfig& config);

// Whether every tensor has an axis 0 of any extent, so that it may count rows.
[[nodiscard]] bool has_batch_axis(const engine::Graph& graph);

}  // namespace lepton::model
