#pragma once

#include "lepton/core/request.h"
#include "lepton/core/response.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"

namespace lepton::protocol {

// Whether that takes longer than a loop should, see kCopiedOnLoop.
[[nodiscard]] bool is_long_to_encode(const Response& response);

// Writes a successful answer as inference.ModelInferResponse, tensors as raw_output_contents.
// Errors: kUnsupported when it is larger than the 2 GiB of a protobuf message.
Result<> encode_grpc_infer(const Request& request,
                           const Response& response,
                           memory::BufferPool& pool,
                           memory::Buffer& body);

}  // namespace lepton::protocol
