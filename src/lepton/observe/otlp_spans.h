#pragma once

#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lepton/core/request_record.h"

namespace lepton::observe {

// A request of a sampled trace that is over.
struct SpanRecord {
    RequestRecord request;
    std::string trace_state;
};

// What stands in front of spans: which service they are of.
using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

// Two clocks read at the same moment, so that points of the one can be told in the other.
struct ClockPair {
    Clock::time_point steady = Clock::now();
    std::chrono::system_clock::time_point wall = std::chrono::system_clock::now();
};

// The body of a POST to a collector's /v1/traces. Of each request a span of kind SERVER, named and
// attributed by the semantic conventions for HTTP and RPC, with its other stations as events; and
// as its children the stretches in which it waited, gathered and computed.
[[nodiscard]] std::string encode_otlp(std::span<const SpanRecord> spans,
                                      const ResourceAttributes& resource,
                                      const ClockPair& clocks);

}  // namespace lepton::observe
