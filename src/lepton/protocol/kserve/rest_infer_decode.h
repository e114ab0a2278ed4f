#pragma once

#include "lepton/core/model_catalog.h"
#include "lepton/core/request.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/kserve/infer_fields.h"

namespace lepton::protocol {

// Whether decoding that body takes longer than a loop should: it has JSON or strings beyond
// kDecodedOnLoop. Looks at few bytes of it.
[[nodiscard]] bool is_long_to_decode(const net::Message& message, const InferFields& fields);

// Decodes the body of an infer request, its Content-Encoding already taken off, into
// `request`, whose model_name, model_version and deadline are set. Binary tensors
// become views of the body, JSON tensors are written to the scratch buffer. Whether names,
// datatypes and shapes are the model's is not looked at, except for a raw binary request, whose
// tensor only the model describes; `catalog` is for that. Errors: kInvalidArgument, kUnsupported,
// and of the raw request what ModelCatalog::find says.
//
// Wire format: KServe v2 REST with the binary tensor data extension,
// https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
Result<> decode_rest_infer(net::Exchange& exchange,
                           Request& request,
                           const InferFields& fields,
                           memory::BufferPool& pool,
                           const ModelCatalog& catalog);

}  // namespace lepton::protocol
