#include "lepton/protocol/kserve/rest_infer.h"

#include "lepton/protocol/content_encoding.h"
#include "lepton/protocol/kserve/rest_infer_decode.h"
#include "lepton/protocol/kserve/rest_infer_encode.h"

namespace lepton::protocol {
Result<> RestInfer::decode(InferExchange& infer, const InferFields& fields) const {
    infer.encoding = fields.accept_encoding.data() == nullptr
                         ? ContentEncoding::kIdentity
                         : preferred_encoding(infer.exchange.message.fields);
    LEPTON_TRY(const ContentEncoding encoding, parse_content_encoding(fields.content_encoding));
    LEPTON_RETURN_IF_ERROR(
        decompress(infer.exchange.message.body, encoding, max_body_bytes_, pool_));
    return decode_rest_infer(infer.exchange, infer.call.request, fields, pool_, catalog_);
}

bool RestInfer::is_long_to_decode(const net::Message& message, const InferFields& fields) const {
    // Few bytes may stand for many.
    if (!fields.content_encoding.empty()) return true;
    return protocol::is_long_to_decode(message, fields);
}

Result<> RestInfer::encode(const InferExchange& infer, net::Reply& reply) const {
    const InferCall& call = infer.call;
    return encode_rest_infer(call.request, call.response, infer.encoding, pool_, reply);
}

bool RestInfer::is_long_to_encode(const InferExchange& infer) const {
    const InferCall& call = infer.call;
    std::size_t bytes = 0;
    for (const OutputTensor& output : call.response.outputs) bytes += output.tensor.data.size();
    return bytes > kDecodedOnLoop &&
           protocol::is_long_to_encode(call.request, call.response, infer.encoding);
}

}  // namespace lepton::protocol
