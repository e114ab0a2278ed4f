#pragma once

#include <chrono>
#include <cstddef>

namespace lepton::net {

// Bounds on what a client may make the server hold or wait for.
struct Limits {
    std::size_t max_head_bytes = std::size_t{16} << 10;    // HTTP/1.1 head; HTTP/2 header list.
    std::size_t max_body_bytes = std::size_t{64} << 20;    // HTTP body, gRPC message; after gunzip.
    std::size_t max_streams = 1024;                        // Concurrent per HTTP/2 connection.
    std::size_t max_connections = 10'000;                  // Per process.
    std::size_t max_unsent_bytes = std::size_t{64} << 20;  // Per connection, before reading stops.
    std::chrono::milliseconds head_timeout{5'000};  // From a message's first byte to its head.
    std::chrono::milliseconds body_idle_timeout{10'000};   // Between two reads of one body.
    std::chrono::milliseconds write_idle_timeout{30'000};  // Client takes nothing of its answer.
};

}  // namespace lepton::net
