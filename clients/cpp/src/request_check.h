#pragma once

#include "lepton/core/result.h"
#include "lepton/inference.h"

namespace lepton::client {

// What the client can tell before it sends: a model is named, and each input's data is as long as
// its shape and datatype say. Errors: kInvalidArgument, naming the input.
[[nodiscard]] Result<> check_inputs(const InferRequest& request);

}  // namespace lepton::client
