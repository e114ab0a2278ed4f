#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "lepton/core/result.h"
#include "lepton/observe/otlp_spans.h"

namespace lepton::observe {

// Which requests are recorded.
struct Sampling {
    bool parent_decides = true;  // If the sender has a span.
    double ratio = 1;            // Share of the others that is recorded.
};

// Where spans are sent, and which.
struct TraceOptions {
    std::string host;
    std::uint16_t port = 0;
    std::string path;
    ResourceAttributes resource;
    Sampling sampling;
    std::chrono::milliseconds delay{5000};
};

// The value of an environment variable; empty where it is not set.
using Environment = std::function<std::string(const char* name)>;

// Follows --otlp-endpoint (empty: not given) and OpenTelemetry's standard variables; returns
// nothing where they name no collector or switch traces off. As its specification asks, an invalid
// sampler causes a warning and counts as not set. Errors: kInvalidArgument for an endpoint that is
// invalid or https.
Result<std::optional<TraceOptions>> trace_options_of(const std::string& endpoint,
                                                     const Environment& environment);

}  // namespace lepton::observe
