#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "exchange.h"

namespace lepton::client {

struct GrpcEndpoint {
    std::string authority;  // "host:port".
    bool tls = false;       // Sets :scheme; the connection encrypts.
    std::size_t max_answer_bytes = std::size_t{1} << 30;
};

// Makes unary calls of inference.GRPCInferenceService, one after the other, on one HTTP/2
// connection that begins with the client's preface (prior knowledge, or ALPN "h2").
//   https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
//
// A false ServerLive, ServerReady or ModelReady fails as kAnswered with kUnavailable, as its HTTP
// form does with status 503. Listing models is kUnsupported.
[[nodiscard]] std::unique_ptr<Exchange> make_grpc_exchange(GrpcEndpoint endpoint);

}  // namespace lepton::client
