#include "lepton/core/error.h"

namespace lepton {
namespace {

constexpr std::array<ErrorTraits, kErrorCodeCount> kTraits{{
    {ErrorCode::kInvalidArgument, "invalid_argument", 400, 3, false},
    {ErrorCode::kUnauthenticated, "unauthenticated", 401, 16, false},
    {ErrorCode::kPermissionDenied, "permission_denied", 403, 7, false},
    {ErrorCode::kModelNotFound, "model_not_found", 404, 5, false},
    {ErrorCode::kMethodNotAllowed, "method_not_allowed", 405, 12, false},
    {ErrorCode::kPayloadTooLarge, "payload_too_large", 413, 3, false},
    {ErrorCode::kUnsupportedMedia, "unsupported_media", 415, 3, false},
    {ErrorCode::kUnsupported, "unsupported", 501, 12, false},
    // 429 and not 503: load balancers eject a node that answers 503, and this one is only busy.
    {ErrorCode::kQueueFull, "queue_full", 429, 8, true},
    {ErrorCode::kOverloaded, "overloaded", 429, 8, true},
    {ErrorCode::kDeadlineExceeded, "deadline_exceeded", 504, 4, false},
    {ErrorCode::kCancelled, "cancelled", 499, 1, false},
    {ErrorCode::kUnavailable, "unavailable", 503, 14, true},
    {ErrorCode::kInternal, "internal", 500, 13, false},
}};

}  // namespace

const ErrorTraits& traits_of(ErrorCode code) { return kTraits[static_cast<std::size_t>(code)]; }

const std::array<ErrorTraits, kErrorCodeCount>& all_error_traits() { return kTraits; }

}  // namespace lepton
