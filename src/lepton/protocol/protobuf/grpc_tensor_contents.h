#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "lepton/core/data_type.h"
#include "lepton/core/result.h"
#include "lepton/protocol/kserve/tensor_scratch.h"

namespace lepton::protocol {

// Appends the elements of one serialized inference.InferTensorContents to the open tensor of
// `scratch`, in the wire's layout. Errors: kInvalidArgument, naming the input: a field that is not
// the datatype's, an element out of the datatype's range, malformed protobuf.
Result<> read_tensor_contents(std::span<const std::byte> contents,
                              std::string_view input,
                              DataType dtype,
                              TensorScratch& scratch);

}  // namespace lepton::protocol
