#pragma once

#include "lepton/core/result.h"
#include "lepton/inference.h"

namespace lepton::client {

// Checks what the client can tell before it sends: a model is named, and each input's data is as
// long as its shape and datatype say. Errors: kInvalidArgument, with the input's name.
[[nodiscard]] Result<> check_inputs(const InferRequest& request);

}  // namespace lepton::client
