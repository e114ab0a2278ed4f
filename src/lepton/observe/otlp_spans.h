#pragma once

#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lepton/core/request_record.h"

namespace lepton::observe {

// A completed request of a sampled trace.
struct SpanRecord {
    RequestRecord request;
    std::string trace_state;
};

// The attributes that precede the spans and say which service they belong to.
using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

// Two clocks read at the same moment, so that times of one can be expressed in the other.
struct ClockPair {
    Clock::time_point steady = Clock::now();
    std::chrono::system_clock::time_point wall = std::chrono::system_clock::now();
};

// Returns the body of a POST to a collector's /v1/traces. Each request becomes a span of kind
// SERVER, named and attributed by the semantic conventions for HTTP and RPC, with its other
// stations as events; its children are the stretches in which it waited, gathered and computed.
[[nodiscard]] std::string encode_otlp(std::span<const SpanRecord> spans,
                                      const ResourceAttributes& resource,
                                      const ClockPair& clocks);

}  // namespace lepton::observe
