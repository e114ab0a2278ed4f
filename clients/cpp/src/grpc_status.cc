#include "grpc_status.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace lepton::client {
namespace {

using Cause = Failure::Cause;

// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
constexpr int kOk = 0;
constexpr int kMissing = -1;
constexpr int kNoNumber = -2;
constexpr std::array<std::string_view, 17> kNames = {"OK",
                                                     "CANCELLED",
                                                     "UNKNOWN",
                                                     "INVALID_ARGUMENT",
                                                     "DEADLINE_EXCEEDED",
                                                     "NOT_FOUND",
                                                     "ALREADY_EXISTS",
                                                     "PERMISSION_DENIED",
                                                     "RESOURCE_EXHAUSTED",
                                                     "FAILED_PRECONDITION",
                                                     "ABORTED",
                                                     "OUT_OF_RANGE",
                                                     "UNIMPLEMENTED",
                                                     "INTERNAL",
                                                     "UNAVAILABLE",
                                                     "DATA_LOSS",
                                                     "UNAUTHENTICATED"};

struct Meaning {
    ErrorCode code;
    Cause cause = Cause::kAnswered;
};

Meaning meaning_of(int grpc) {
    switch (grpc) {
        case 1:
            return {ErrorCode::kCancelled};
        case 3:   // INVALID_ARGUMENT
        case 9:   // FAILED_PRECONDITION
        case 11:  // OUT_OF_RANGE
            return {ErrorCode::kInvalidArgument};
        case 4:
            return {ErrorCode::kDeadlineExceeded};
        case 5:
            return {ErrorCode::kModelNotFound};
        case 7:
            return {ErrorCode::kPermissionDenied};
        case 8:  // RESOURCE_EXHAUSTED: Lepton says so at admission, before anything ran.
            return {ErrorCode::kQueueFull, Cause::kRefused};
        case 12:
            return {ErrorCode::kUnsupported};
        case 14:
            return {ErrorCode::kUnavailable, Cause::kRefused};
        case 16:
            return {ErrorCode::kUnauthenticated};
        default:
            return {ErrorCode::kInternal};
    }
}

// Maps a proxy's HTTP status where no gRPC server answered:
// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
int grpc_of_http(int http) {
    switch (http) {
        case 400:
            return 13;
        case 401:
            return 16;
        case 403:
            return 7;
        case 404:
            return 12;
        case 429:
        case 502:
        case 503:
        case 504:
            return 14;
        default:
            return 2;
    }
}

template <class Number>
std::optional<Number> to_number(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

void GrpcStatus::clear() {
    http_ = 0;
    grpc_ = kMissing;
    is_grpc_ = false;
    may_retry_ = true;
    content_type_.clear();
    message_.clear();
    server_timing_.clear();
    retry_after_.reset();
}

void GrpcStatus::on_field(std::string_view name, std::string_view value) {
    if (name == ":status") {
        http_ = to_number<int>(value).value_or(0);
    } else if (name == "grpc-status") {
        const auto number = to_number<std::uint16_t>(value);
        grpc_ = number ? *number : kNoNumber;
    } else if (name == "grpc-message") {
        message_ = value;
    } else if (name == "content-type") {
        is_grpc_ = value.starts_with("application/grpc");
        content_type_ = value;
    } else if (name == "server-timing") {
        server_timing_ = value;
    } else if (name == "grpc-retry-pushback-ms") {
        // By gRPC's proposal A6, a negative or malformed value means never.
        const auto wait = to_number<std::int32_t>(value);
        may_retry_ = wait && *wait >= 0;
        if (may_retry_) retry_after_ = std::chrono::milliseconds(*wait);
    } else if (name == "retry-after-ms") {
        const auto wait = to_number<std::uint32_t>(value);
        if (wait) retry_after_ = std::chrono::milliseconds(*wait);
    } else if (name == "retry-after") {
        // From a proxy, in seconds; the form with a date is not worth parsing.
        const auto wait = to_number<std::uint32_t>(value);
        if (wait) retry_after_ = std::chrono::seconds(*wait);
    }
}

std::optional<Failure> GrpcStatus::failure() const {
    if (http_ != 200 || !is_grpc_) return not_grpc();
    if (grpc_ == kOk) return std::nullopt;
    if (grpc_ < 0) {
        return Failure{
            Cause::kProtocol,
            {ErrorCode::kInternal,
             grpc_ == kMissing ? "the server's answer ends without a grpc-status"
                               : "the server's answer has a grpc-status that is not a number"},
            std::nullopt};
    }
    return refused_by_status();
}

Failure GrpcStatus::not_grpc() const {
    const Meaning meaning = meaning_of(grpc_of_http(http_));
    std::string message = "the endpoint answers with HTTP status " + std::to_string(http_);
    if (!is_grpc_) message += " and content type \"" + content_type_ + "\", not as a gRPC server";
    return {http_ == 200 ? Cause::kProtocol : meaning.cause,
            {http_ == 200 ? ErrorCode::kInternal : meaning.code, std::move(message)},
            retry_after_};
}

Failure GrpcStatus::refused_by_status() const {
    const Meaning meaning = meaning_of(grpc_);
    std::string message = percent_decoded(message_);
    if (message.empty()) {
        const auto number = static_cast<std::size_t>(grpc_);
        message = "the server answers with gRPC status " + std::to_string(grpc_);
        if (number < kNames.size()) message.append(" (").append(kNames[number]).append(")");
    }
    return {may_retry_ ? meaning.cause : Cause::kAnswered,
            {meaning.code, std::move(message)},
            retry_after_};
}

std::string percent_decoded(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0) {
            decoded.push_back(text[i]);
            continue;
        }
        decoded.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return decoded;
}

Failure failure_of_reset(std::uint32_t code) {
    // RFC 9113, section 7; "Errors" in gRPC's PROTOCOL-HTTP2.md says what each means to a caller.
    constexpr std::array<std::string_view, 14> kCodes = {"NO_ERROR",
                                                         "PROTOCOL_ERROR",
                                                         "INTERNAL_ERROR",
                                                         "FLOW_CONTROL_ERROR",
                                                         "SETTINGS_TIMEOUT",
                                                         "STREAM_CLOSED",
                                                         "FRAME_SIZE_ERROR",
                                                         "REFUSED_STREAM",
                                                         "CANCEL",
                                                         "COMPRESSION_ERROR",
                                                         "CONNECT_ERROR",
                                                         "ENHANCE_YOUR_CALM",
                                                         "INADEQUATE_SECURITY",
                                                         "HTTP_1_1_REQUIRED"};
    constexpr std::uint32_t kRefusedStream = 7;
    constexpr std::uint32_t kEnhanceYourCalm = 11;
    const std::string name =
        code < kCodes.size() ? std::string(kCodes[code]) : std::to_string(code);
    if (code == kRefusedStream) {
        return {Cause::kRefused,
                {ErrorCode::kUnavailable, "the server refused the request's stream"},
                std::nullopt};
    }
    if (code == kEnhanceYourCalm) {
        return {Cause::kAnswered,
                {ErrorCode::kOverloaded, "the request's stream was reset: " + name},
                std::nullopt};
    }
    return {Cause::kCut,
            {ErrorCode::kUnavailable, "the request's stream was reset: " + name},
            std::nullopt};
}

GrpcTimeout to_grpc_timeout(Clock::duration left) {
    constexpr std::int64_t kMost = 99'999'999;  // Eight digits.
    struct Unit {
        char letter;
        std::int64_t nanoseconds;
    };
    constexpr Unit kUnits[] = {{'u', 1'000}, {'m', 1'000'000}, {'S', 1'000'000'000}};
    const std::int64_t ns = std::max<std::int64_t>(std::chrono::nanoseconds(left).count(), 1'000);
    GrpcTimeout timeout{};
    for (const Unit& unit : kUnits) {
        const std::int64_t amount = std::min(ns / unit.nanoseconds, kMost);
        if (ns / unit.nanoseconds > kMost && unit.letter != 'S') continue;
        char* const end =
            std::to_chars(timeout.text, timeout.text + sizeof timeout.text, amount).ptr;
        *end = unit.letter;
        timeout.size = static_cast<std::size_t>(end - timeout.text) + 1;
        break;
    }
    return timeout;
}

}  // namespace lepton::client
