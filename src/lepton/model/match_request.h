#pragma once

#include "lepton/core/infer_call.h"
#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"

namespace lepton::model {

// Holds a request against the model that is to run it: puts its inputs into the model's order and
// notes how many rows it carries and with which other calls it may share a run.
// Errors: kInvalidArgument, naming the tensor, what came and what the model takes; kUnsupported for
// a model that the engine does not compute rightly.
Result<> match_request(const ModelSpec& spec, InferCall& call);

}  // namespace lepton::model
