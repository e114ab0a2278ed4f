#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lepton/core/shape.h"

namespace lepton::memory {

// Copies what two row-major tensors of equal rank have in common, element [i,j,...] to [i,j,...],
// and sets what only `to` has to zero. Spans hold exactly the elements of their shapes.
void copy_common(std::span<const std::byte> from,
                 const Shape& from_shape,
                 std::span<std::byte> to,
                 const Shape& to_shape,
                 std::size_t element_bytes);

// Bytes of the first `count` elements of a kBytes tensor, whose lengths were checked before.
[[nodiscard]] std::size_t bytes_of_elements(std::span<const std::byte> data, std::int64_t count);

}  // namespace lepton::memory
