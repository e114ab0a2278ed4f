#pragma once

#include <cstddef>

#include "socket.h"

namespace lepton::bench {

struct EchoOptions {
    std::size_t request_bytes = 1;
    std::size_t answer_bytes = 1;
    int connections = 1;
    bool spin = false;  // Asks the kernel again and again instead of sleeping.
};

// Answers a number of bytes for a number of bytes, and does nothing else: the minimum that any
// server on these sockets must do. One connection is served by plain calls, more by epoll. Returns
// when every connection is closed.
void run_echo_server(const Socket& listener, const EchoOptions& options);

}  // namespace lepton::bench
