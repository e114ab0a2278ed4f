#pragma once

#include <memory>
#include <span>

#include <openvino/core/model.hpp>

#include "lepton/core/result.h"
#include "lepton/core/tensor.h"

namespace lepton::openvino {

// Returns a copy of the model that keeps its operations and drops its weights: large constants are
// replaced by further parameters of the same type and shape, after the model's own. What remains is
// all that shape inference looks at. Errors: kInternal.
Result<std::shared_ptr<ov::Model>> make_shape_skeleton(const ov::Model& model);

// Gives the first inputs of `model` these shapes and infers all others, operation by operation, as
// the model itself has them: nothing is rewritten to make a shape fit. After an error the shapes
// within are meaningless, and may be inferred anew. Errors: kInvalidArgument, with the operation's
// reason.
Result<> infer_shapes(ov::Model& model, std::span<const ov::PartialShape> inputs);

[[nodiscard]] ov::PartialShape to_partial_shape(const Shape& shape);

}  // namespace lepton::openvino
