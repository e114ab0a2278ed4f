#pragma once

#include <string_view>

#include "lepton/core/result.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

// The header fields that an inference looks at, found in one pass. A null view: not sent.
struct InferFields {
    std::string_view header_length;  // inference-header-content-length
    std::string_view content_encoding;
    std::string_view accept_encoding;
    std::string_view grpc_timeout;
    std::string_view envoy_timeout_ms;    // x-envoy-expected-rq-timeout-ms
    std::string_view request_timeout_ms;  // x-request-timeout-ms
    std::string_view traceparent;         // Empty, not null, where there are several: none counts.
    std::string_view tracestate;
};

[[nodiscard]] InferFields find_infer_fields(const net::FieldList& fields);

// The earliest deadline that they ask for. Errors: kInvalidArgument, naming the field.
Result<Clock::time_point> deadline_of(const InferFields& fields, Clock::time_point received);

}  // namespace lepton::protocol
