#pragma once

#include <cstddef>

#include "socket.h"

namespace lepton::bench {

struct EchoOptions {
    std::size_t request_bytes = 1;
    std::size_t answer_bytes = 1;
    int connections = 1;
    bool spin = false;  // Ask the kernel again and again instead of sleeping.
};

// Answers so many bytes for so many bytes, and does nothing else: the least that any server on
// these sockets must do. One connection is served by plain calls, more by epoll. Returns when every
// connection is closed.
void run_echo_server(const Socket& listener, const EchoOptions& options);

}  // namespace lepton::bench
