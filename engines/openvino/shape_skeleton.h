#pragma once

#include <memory>
#include <span>

#include <openvino/core/model.hpp>

#include "lepton/core/result.h"
#include "lepton/core/tensor.h"

namespace lepton::openvino {

// A copy of the model that keeps its operations and gives up its weights: large constants are
// replaced by further parameters of the same type and shape, behind the model's own. What remains
// is all that the inference of shapes looks at. Errors: kInternal.
Result<std::shared_ptr<ov::Model>> make_shape_skeleton(const ov::Model& model);

// Gives the first inputs of `model` these shapes and infers all others, operation by operation, as
// the model itself has them: nothing is rewritten so that a shape may fit. After an error the
// shapes within are of no meaning, and may be inferred anew. Errors: kInvalidArgument with the
// operation's reason.
Result<> infer_shapes(ov::Model& model, std::span<const ov::PartialShape> inputs);

[[nodiscard]] ov::PartialShape to_partial_shape(const Shape& shape);

}  // namespace lepton::openvino
