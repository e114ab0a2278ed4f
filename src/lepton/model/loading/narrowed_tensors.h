#pragma once

#include <string>

#include "lepton/core/model_spec.h"

namespace lepton::model {

// Which tensors the engine computes in a narrower format than they have, for a person: "ids INT64
// as INT32, y FP64 as FP32". Empty for none.
[[nodiscard]] std::string narrowed_tensors(const ModelSpec& spec);

}  // namespace lepton::model
