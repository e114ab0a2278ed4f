#pragma once

#include <vector>

#include <openvino/core/model.hpp>

#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"

namespace lepton::openvino {

// The inputs and outputs of a model, in its own order. A tensor goes by the name that the model's
// file gives it or, if it has none, by the friendly name of its node. Errors: kUnsupported, naming
// the tensor, for an element type that KServe v2 has no name for, or a rank that is not fixed or
// too large.
Result<std::vector<TensorSpec>> input_specs(const ov::Model& model);
Result<std::vector<TensorSpec>> output_specs(const ov::Model& model);

// Whether axis 0 may count rows: every tensor has one, and its extent is open.
[[nodiscard]] bool has_batch_axis(const std::vector<TensorSpec>& inputs,
                                  const std::vector<TensorSpec>& outputs);

}  // namespace lepton::openvino
