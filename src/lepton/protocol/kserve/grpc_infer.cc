#include "lepton/protocol/kserve/grpc_infer.h"

#include "lepton/protocol/kserve/grpc_infer_decode.h"
#include "lepton/protocol/kserve/grpc_infer_encode.h"

namespace lepton::protocol {

Result<> GrpcInfer::decode(InferExchange& infer, const InferFields& /*fields*/) const {
    return decode_grpc_infer(infer.exchange, infer.call.request, pool_);
}

bool GrpcInfer::is_long_to_decode(const net::Message& message,
                                  const InferFields& /*fields*/) const {
    return protocol::is_long_to_decode(message.body);
}

Result<> GrpcInfer::encode(const InferExchange& infer, net::Reply& reply) const {
    const InferCall& call = infer.call;
    return encode_grpc_infer(call.request, call.response, pool_, reply.body);
}

bool GrpcInfer::is_long_to_encode(const InferExchange& infer) const {
    return protocol::is_long_to_encode(infer.call.response);
}

}  // namespace lepton::protocol
