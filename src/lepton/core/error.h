#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace lepton {

// Closed set. Add a value only when a caller would act differently on it.
enum class ErrorCode : std::uint8_t {
    kInvalidArgument,   // Malformed or mismatched input.
    kUnauthenticated,   // No credentials, or bad ones.
    kPermissionDenied,  // Restricted route.
    kModelNotFound,     // Unknown model, version or route.
    kMethodNotAllowed,  // The route exists, the HTTP method does not.
    kPayloadTooLarge,   // Body or tensor over its limit.
    kUnsupportedMedia,  // The body is not of the type that the route takes.
    kUnsupported,       // Known, but not offered.
    kQueueFull,         // Admission refused: the bound of the queue.
    kOverloaded,        // Admission refused: predicted start too late.
    kDeadlineExceeded,  // Expired, or could never be met.
    kCancelled,         // The client went away.
    kUnavailable,       // Starting, draining, model not ready.
    kInternal,          // Engine failure, or a bug.
};

inline constexpr std::size_t kErrorCodeCount = 14;

struct Error {
    ErrorCode code = ErrorCode::kInternal;
    std::string message;  // For a person: names the thing, the value and the bound.
    // When to ask again, where that can be predicted; zero: unknown.
    std::chrono::microseconds retry_after{};
};

// What each surface calls an error. One row per code; the test walks them all.
struct ErrorTraits {
    ErrorCode code;
    std::string_view label;  // Value of the `error` metric label.
    int http_status;
    int grpc_status;  // https://grpc.github.io/grpc/core/md_doc_statuscodes.html
    bool retryable;   // Another node, or the same one later, may answer.
};

[[nodiscard]] const ErrorTraits& traits_of(ErrorCode code);
[[nodiscard]] const std::array<ErrorTraits, kErrorCodeCount>& all_error_traits();

}  // namespace lepton
