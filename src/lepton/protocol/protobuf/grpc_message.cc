#include "lepton/protocol/protobuf/grpc_message.h"

#include <limits>

#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {

Result<> parse_grpc(const net::Message& message, google::protobuf::MessageLite& parsed) {
    const auto body = message.body.bytes();
    if (body.size() <= std::numeric_limits<int>::max() &&
        parsed.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        return {};
    }
    return fail(ErrorCode::kInvalidArgument,
                concat({"malformed protobuf in ", parsed.GetTypeName()}));
}

void write_grpc(const google::protobuf::MessageLite& message,
                memory::BufferPool& pool,
                net::Reply& reply) {
    const std::size_t size = message.ByteSizeLong();
    prepare_body(reply.body, size, pool);
    reply.body.resize(size);
    message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(reply.body.data()));
    reply.has_body = true;
}

Result<> send_grpc(const google::protobuf::MessageLite& message,
                   memory::BufferPool& pool,
                   net::Exchange& exchange) {
    write_grpc(message, pool, exchange.reply);
    exchange.send();
    return {};
}

}  // namespace lepton::protocol
