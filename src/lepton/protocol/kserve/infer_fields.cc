#include "lepton/protocol/kserve/infer_fields.h"

#include <algorithm>

#include "lepton/protocol/deadline.h"

namespace lepton::protocol {
namespace {

constexpr std::string_view kEnvoyTimeout = "x-envoy-expected-rq-timeout-ms";
constexpr std::string_view kRequestTimeout = "x-request-timeout-ms";

struct Name {
    std::string_view name;
    std::string_view InferFields::* member;
};

constexpr Name kNames[] = {
    {"inference-header-content-length", &InferFields::header_length},
    {"content-encoding", &InferFields::content_encoding},
    {"accept-encoding", &InferFields::accept_encoding},
    {"grpc-timeout", &InferFields::grpc_timeout},
    {kEnvoyTimeout, &InferFields::envoy_timeout_ms},
    {kRequestTimeout, &InferFields::request_timeout_ms},
    {"traceparent", &InferFields::traceparent},
    {"tracestate", &InferFields::tracestate},
};

}  // namespace

InferFields find_infer_fields(const net::FieldList& fields) {
    InferFields found;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const std::string_view name = fields.name(i);
        for (const Name& known : kNames) {
            if (name != known.name) continue;
            if ((found.*known.member).data() == nullptr) {
                found.*known.member = fields.value(i);
            } else if (known.member == &InferFields::traceparent) {
                found.traceparent = std::string_view("");
            }
        }
    }
    return found;
}

Result<Clock::time_point> deadline_of(const InferFields& fields, Clock::time_point received) {
    Clock::time_point deadline = kNoDeadline;
    if (fields.grpc_timeout.data() != nullptr) {
        LEPTON_TRY(deadline, deadline_of_grpc_timeout(fields.grpc_timeout, received));
    }
    if (fields.envoy_timeout_ms.data() != nullptr) {
        LEPTON_TRY(const auto at,
                   deadline_of_header_ms(kEnvoyTimeout, fields.envoy_timeout_ms, received));
        deadline = std::min(deadline, at);
    }
    if (fields.request_timeout_ms.data() != nullptr) {
        LEPTON_TRY(const auto at,
                   deadline_of_header_ms(kRequestTimeout, fields.request_timeout_ms, received));
        deadline = std::min(deadline, at);
    }
    return deadline;
}

}  // namespace lepton::protocol
