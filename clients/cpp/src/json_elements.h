#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include <simdjson.h>

#include "lepton/core/data_type.h"

namespace lepton::client {

// Writes the elements of "data", flat or nested, in the wire's binary layout; returns the bytes
// written. Floats that are not finite are NaN, Infinity and -Infinity, or null for NaN. Returns
// nothing where an element is not of `type`, the type has no JSON form (FP16, BF16), or the space
// is too small.
[[nodiscard]] std::optional<std::size_t> write_elements(simdjson::ondemand::value data,
                                                        DataType type,
                                                        std::span<std::byte> space);

}  // namespace lepton::client
