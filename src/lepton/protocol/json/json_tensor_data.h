#pragma once

#include <cstddef>
#include <string_view>

#include "lepton/core/data_type.h"
#include "lepton/core/result.h"
#include "lepton/protocol/json/json_reader.h"
#include "lepton/protocol/kserve/tensor_scratch.h"

namespace lepton::protocol {

// Appends the elements of `data`, a JSON array, flat or nested, to the open tensor of `scratch`, in
// the wire's layout. `count` is how many the input's shape asks for, and at most the bytes of the
// text. Floats that are not finite come as NaN, Infinity and -Infinity; null is NaN too, and a
// number beyond double's range infinity. Errors: kInvalidArgument naming the input and the value:
// not an array, wrong number of elements, an element of another type (1.0 is no integer) or out of
// the datatype's range, FP16 and BF16, which JSON cannot carry.
Result<> read_json_tensor(JsonReader& reader,
                          json::value data,
                          std::string_view input,
                          DataType dtype,
                          std::size_t count,
                          TensorScratch& scratch);

}  // namespace lepton::protocol
