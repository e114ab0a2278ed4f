#pragma once

#include <optional>

#include <openvino/core/type/element_type.hpp>

#include "lepton/core/data_type.h"

namespace lepton::openvino {

// Empty for types that KServe v2 has no name for: packed 1 and 4 bit, 8 bit floats.
[[nodiscard]] std::optional<DataType> data_type_of(const ov::element::Type& type);
[[nodiscard]] ov::element::Type element_type_of(DataType type);

}  // namespace lepton::openvino
