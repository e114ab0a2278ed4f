#pragma once

#include "lepton/core/request.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

// Whether decoding that message takes longer than a loop should: it has strings, or typed contents,
// beyond kDecodedOnLoop. Looks at few bytes of it.
[[nodiscard]] bool is_long_to_decode(const memory::Buffer& body);

// Decodes an inference.ModelInferRequest into `request`, whose deadline is set. It
// reads what the generated class would (fields in any order, packed or not, unknown ones skipped),
// but without a copy: raw_input_contents become views of the body, typed contents are written to
// the scratch buffer. Whether names, datatypes and shapes are the model's is not looked at. Errors:
// kInvalidArgument, kUnsupported.
Result<> decode_grpc_infer(net::Exchange& exchange, Request& request, memory::BufferPool& pool);

}  // namespace lepton::protocol
