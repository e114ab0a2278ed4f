#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "exchange.h"

namespace lepton::client {

// What the headers and trailers of one gRPC answer say. Reused, and cleared in between. Not
// thread-safe; its exchange owns it.
class GrpcStatus {
public:
    void clear();
    void on_field(std::string_view name, std::string_view value);

    // Null if the call succeeded and its message is to be read. Precondition: the answer is
    // complete.
    [[nodiscard]] std::optional<Failure> failure() const;

    // Whether the body is gRPC's, and not a proxy's page.
    [[nodiscard]] bool is_grpc() const { return is_grpc_; }
    [[nodiscard]] std::string_view server_timing() const { return server_timing_; }

private:
    [[nodiscard]] Failure not_grpc() const;
    [[nodiscard]] Failure refused_by_status() const;

    int http_ = 0;
    int grpc_ = -1;          // -1: none, -2: not a number.
    bool is_grpc_ = false;   // According to its content-type.
    bool may_retry_ = true;  // False once pushback says "never".
    std::string content_type_;
    std::string message_;  // Percent-encoded.
    std::string server_timing_;
    std::optional<std::chrono::milliseconds> retry_after_;
};

// Undoes gRPC's percent-encoding; what is not an escape stays as it is.
[[nodiscard]] std::string percent_decoded(std::string_view text);

// Returns what a reset stream means; `code` is HTTP/2's.
[[nodiscard]] Failure failure_of_reset(std::uint32_t code);

// The value of grpc-timeout: at most eight digits and a unit. A `left` below a microsecond counts
// as one, so that nothing is ever sent that reads as "no time".
struct GrpcTimeout {
    char text[12];
    std::size_t size;
    [[nodiscard]] std::string_view view() const { return {text, size}; }
};
[[nodiscard]] GrpcTimeout to_grpc_timeout(Clock::duration left);

}  // namespace lepton::client
