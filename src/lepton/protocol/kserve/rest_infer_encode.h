#pragma once

#include "lepton/core/request.h"
#include "lepton/core/response.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/content_encoding.h"

namespace lepton::protocol {

// Whether that takes longer than a loop should, see kDecodedOnLoop and kCopiedOnLoop.
[[nodiscard]] bool is_long_to_encode(const Request& request,
                                     const Response& response,
                                     ContentEncoding encoding);

// Writes a successful answer into the reply: JSON, followed by the outputs that were asked for as
// binary data. Errors: kInvalidArgument for an output that JSON cannot carry (FP16, BF16, BYTES
// that are not UTF-8) and that was not asked for as binary data; the reply's body is then
// undefined.
Result<> encode_rest_infer(const Request& request,
                           const Response& response,
                           ContentEncoding encoding,
                           memory::BufferPool& pool,
                           net::Reply& reply);

}  // namespace lepton::protocol
