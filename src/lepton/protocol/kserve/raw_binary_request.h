#pragma once

#include "lepton/core/model_catalog.h"
#include "lepton/core/request.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

// Decodes a raw binary request: the body is the one tensor of a model with one input, whose name,
// datatype and shape are the model's. At most one extent may be open, counting that of the batch
// axis only where no other is; it follows from the body's size. The body of a BYTES input of one
// element is that element, without a length prefix. All outputs are asked for as binary data.
// Errors: kInvalidArgument, and what ModelCatalog::find says.
Result<> decode_raw_binary(net::Exchange& exchange,
                           Request& request,
                           memory::BufferPool& pool,
                           const ModelCatalog& catalog);

}  // namespace lepton::protocol
