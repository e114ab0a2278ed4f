#pragma once

#include <google/protobuf/message_lite.h>

#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

// The message's body as a generated class. Errors: kInvalidArgument, naming the type.
Result<> parse_grpc(const net::Message& message, google::protobuf::MessageLite& parsed);

// Makes a generated class the body of the reply.
void write_grpc(const google::protobuf::MessageLite& message,
                memory::BufferPool& pool,
                net::Reply& reply);

// The usual handler's end: the same, sent.
Result<> send_grpc(const google::protobuf::MessageLite& message,
                   memory::BufferPool& pool,
                   net::Exchange& exchange);

}  // namespace lepton::protocol
