#pragma once

#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

// Answers one message of grpc.reflection.v1.ServerReflection, or of v1alpha, whose messages are the
// same on the wire. What is not found is told in the answer: the call goes on.
// Errors: kInvalidArgument for malformed protobuf.
Result<> answer_reflection(const net::Message& message,
                           memory::BufferPool& pool,
                           net::Reply& reply);

}  // namespace lepton::protocol
