#pragma once

#include <cstdint>
#include <span>

#include "lepton/core/tensor.h"

namespace lepton::model {

// Whether two computations of the same tensor agree: numbers that are no floats exactly, floats to
// within 1e-4 (2e-2 for 16 bit floats, and where the model computes in them), since the order of
// summation may differ with the number of rows. That is a part of the largest magnitude in the same
// column, the last axis, of either: a column of large numbers does not excuse one of small ones.
// For columns of nearly nothing, which are often what is left of large terms, it is a part of at
// least a thirtieth of the largest of all.
[[nodiscard]] bool agree(const TensorView& a, const TensorView& b, bool computed_in_16_bits);

// Value of a half precision number, IEEE 754 binary16.
[[nodiscard]] float half_to_float(std::uint16_t half);

}  // namespace lepton::model
