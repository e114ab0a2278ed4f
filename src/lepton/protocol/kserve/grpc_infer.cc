#include "lepton/protocol/kserve/grpc_infer.h"

#include "lepton/protocol/kserve/grpc_infer_decode.h"
#include "lepton/protocol/kserve/grpc_infer_encode.h"

namespace lepton::protocol {

Result<> GrpcInfer::decode(net::Exchange& exchange, const InferFields& /*fields*/) const {
    return decode_grpc_infer(exchange, pool_);
}

bool GrpcInfer::is_long_to_decode(const net::Message& message,
                                  const InferFields& /*fields*/) const {
    return protocol::is_long_to_decode(message.body);
}

Result<> GrpcInfer::encode(const net::Exchange& exchange, net::Reply& reply) const {
    const InferCall& call = exchange.call;
    return encode_grpc_infer(call.request, call.response, pool_, reply.body);
}

bool GrpcInfer::is_long_to_encode(const net::Exchange& exchange) const {
    return protocol::is_long_to_encode(exchange.call.response);
}

}  // namespace lepton::protocol
