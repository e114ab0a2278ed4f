#pragma once

#include <optional>

#include <openvino/core/model.hpp>

#include "lepton/core/data_type.h"
#include "lepton/core/result.h"

namespace lepton::openvino {

// The CPU plug-in computes every integer wider than 8 bits in INT32, and FP64 in FP32: what does
// not fit is cut (INT64, UINT32, UINT64) or held to the largest float (FP64) before the first
// operation sees it. docs/reference/engines.md says how that was found.

// What the elements of an input are held in, where that is narrower than their type and where it
// matters: not for one that is only handed through, asked for its shape, or converted to floating
// point at once.
[[nodiscard]] std::optional<DataType> held_in(const ov::Output<const ov::Node>& input);

// What an output is computed in, where that is narrower than its type.
[[nodiscard]] std::optional<DataType> computed_in(const ov::Output<const ov::Node>& output);

// Whether a model computes with a constant which the plug-in does not hold. The marks for "to
// the end" (of a slice, of a loop, of a clamp) are such constants, and right all the same.
// Errors: kUnsupported, naming the operation and the value.
Result<> check_constants(const ov::Model& model);

}  // namespace lepton::openvino
