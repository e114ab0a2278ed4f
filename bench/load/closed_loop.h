#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dialogue.h"
#include "histogram.h"
#include "socket.h"

namespace lepton::bench {

struct LoadOptions {
    int connections = 1;
    std::chrono::nanoseconds warmup{};
    std::chrono::nanoseconds duration{};
    std::uint64_t requests = 0;    // If not zero: ends after this many, whatever the duration.
    int server_pid = 0;            // If not zero: the process whose processor time to count.
    std::string allocations_file;  // If not empty: the file of the server's allocation counter.
};

struct LoadFigures {
    Histogram latency;
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  // Negative or wrong answers, including the warm-up's.
    std::chrono::nanoseconds elapsed{};
    std::chrono::nanoseconds client_cpu{};
    std::chrono::nanoseconds server_cpu{};
    std::uint64_t server_allocations = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
};

using MakeDialogue = std::function<std::unique_ptr<Dialogue>()>;

// Keeps one request in flight on each connection, in the calling thread: with one connection by
// blocking calls, with more by epoll. Counts from an answer after the warm-up to a later one that
// makes the count a multiple of the connections, so that a server that answers in bursts of that
// many is measured over whole bursts. Throws if a connection breaks.
[[nodiscard]] LoadFigures run_closed_loop(const Endpoint& endpoint,
                                          const MakeDialogue& make_dialogue,
                                          const LoadOptions& options);

// Formats the figures as one line of JSON, with the name of what was measured.
[[nodiscard]] std::string to_json(const LoadFigures& figures,
                                  const std::string& what,
                                  const Endpoint& endpoint,
                                  const LoadOptions& options);

}  // namespace lepton::bench
