#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lepton/core/result.h"

namespace lepton::protocol {

enum class Route : std::uint8_t {
    kRoot,        // /
    kMetrics,     // /metrics
    kServer,      // /v2
    kLive,        // /v2/health/live
    kReady,       // /v2/health/ready
    kSlow,        // /v2/debug/slow
    kModel,       // /v2/models/{model}[/versions/{version}]
    kModelReady,  // .../ready
    kConfig,      // .../config
    kInfer,       // .../infer
};

// Where an HTTP request goes. The views look into the path.
struct HttpTarget {
    Route route = Route::kRoot;
    std::string_view model;
    std::string_view version;  // Empty: the latest.
};

// Percent-decoding is done in the path itself, segment by segment, so that an encoded slash does
// not separate. Errors: kModelNotFound for an unknown route; kInvalidArgument for a bad escape.
Result<HttpTarget> parse_target(std::string& path);

// The byte that two hexadecimal digits stand for.
std::optional<char> decode_escape(std::string_view digits);

}  // namespace lepton::protocol
