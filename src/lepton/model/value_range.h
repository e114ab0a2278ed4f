#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "lepton/core/data_type.h"

namespace lepton::model {

// A value that an engine cannot hold.
struct MisfitValue {
    std::size_t element = 0;  // Its place among the tensor's elements.
    std::string value;
    std::string bounds;  // What can be held: "-2147483648 to 2147483647".

    friend bool operator==(const MisfitValue&, const MisfitValue&) = default;
};

// The first element of `data`, which holds elements of `dtype`, that does not fit into `held_in`.
// One pass, in vectors and without a branch per element.
// Values that fit but are rounded (FP64 in FP32) are not told. Nothing for pairs of types that no
// engine has.
[[nodiscard]] std::optional<MisfitValue> find_misfit(std::span<const std::byte> data,
                                                     DataType dtype,
                                                     DataType held_in);

}  // namespace lepton::model
