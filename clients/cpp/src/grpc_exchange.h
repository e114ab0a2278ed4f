#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "exchange.h"

namespace lepton::client {

struct GrpcEndpoint {
    std::string authority;  // "host:port".
    bool tls = false;       // Says :scheme; encryption is the connection's.
    std::size_t max_answer_bytes = std::size_t{1} << 30;
};

// Unary calls of inference.GRPCInferenceService, one after the other on one HTTP/2 connection that
// begins with the client's preface (prior knowledge, or ALPN "h2").
//   https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
//
// ServerLive, ServerReady and ModelReady that are answered with false fail as kAnswered,
// kUnavailable, as their HTTP forms do with a status of 503. Listing models is kUnsupported.
[[nodiscard]] std::unique_ptr<Exchange> make_grpc_exchange(GrpcEndpoint endpoint);

}  // namespace lepton::client
