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
    std::size_t max_connections_per_peer = 0;              // Per client's address; 0: no bound.
    std::size_t max_unsent_bytes = std::size_t{64} << 20;  // Per connection, before reading stops.
    std::chrono::milliseconds head_timeout{5'000};  // From a message's first byte to its head.
    std::chrono::milliseconds body_idle_timeout{10'000};  // Between two reads of one body that are
                                                          // worth it, see min_data_rate.
    std::chrono::milliseconds request_timeout{300'000};  // From a message's first byte to its last.
    std::chrono::milliseconds write_idle_timeout{30'000};  // Client takes nothing of its answer.
    // A connection without a request is ended then. Longer than the keep-alive of any client or
    // proxy, which should be the one to end it: what it sends while we close is lost.
    std::chrono::milliseconds idle_timeout{600'000};
    // Bytes a second. Who moves less than that makes, over the whole of an idle timeout, is idle.
    std::size_t min_data_rate = 240;

    [[nodiscard]] std::size_t least_bytes(std::chrono::milliseconds within) const {
        return min_data_rate * static_cast<std::size_t>(within.count()) / 1000;
    }
};

}  // namespace lepton::net
