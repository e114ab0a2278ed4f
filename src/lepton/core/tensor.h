#pragma once

#include <cstddef>
#include <span>

#include "lepton/core/data_type.h"
#include "lepton/core/shape.h"

namespace lepton {

// Looks at a tensor's bytes in the wire's layout: little-endian, row-major, no padding; kBytes
// elements length-prefixed. Whoever made the view says which buffer must outlive it.
struct TensorView {
    DataType dtype = DataType::kFp32;
    Shape shape;
    std::span<const std::byte> data;
};

}  // namespace lepton
