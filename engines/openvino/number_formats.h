#pragma once

#include <optional>

#include <openvino/core/model.hpp>

#include "lepton/core/data_type.h"
#include "lepton/core/result.h"

namespace lepton::openvino {

// The CPU plug-in computes every integer wider than 8 bits in INT32, and FP64 in FP32: what does
// not fit is truncated (INT64, UINT32, UINT64) or clamped to the largest float (FP64) before the
// first operation sees it. docs/reference/engines.md says how that was found.

// The type that holds the elements of an input, if it is narrower than theirs and that matters: it
// does not for an input that is only passed through, asked for its shape, or converted to floating
// point at once.
[[nodiscard]] std::optional<DataType> held_in(const ov::Output<const ov::Node>& input);

// The type that an output is computed in, if it is narrower than its own.
[[nodiscard]] std::optional<DataType> computed_in(const ov::Output<const ov::Node>& output);

// Checks whether a model computes with a constant that the plug-in cannot hold. The marks for "to
// the end" (of a slice, of a loop, of a clamp) are such constants, and correct all the same.
// Errors: kUnsupported, with the operation and the value.
Result<> check_constants(const ov::Model& model);

}  // namespace lepton::openvino
