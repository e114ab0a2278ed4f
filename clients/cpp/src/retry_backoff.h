#pragma once

#include <chrono>
#include <optional>

#include "lepton/core/clock.h"

namespace lepton::client {

// How long to wait before trying again: exponential with full jitter, that is anywhere between
// nothing and a bound that doubles, so that clients who failed together do not come back together.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
struct RetryBackoff {
    // Small: a request is milliseconds of work, and another endpoint may be free at once.
    Clock::duration first = std::chrono::milliseconds(5);  // Bound of the first wait.
    Clock::duration most = std::chrono::seconds(1);        // Bound of every wait.

    // Returns when retry number `retry` (from 0) may go out; `uniform` is drawn from [0, 1). Never
    // earlier than the server's `retry_after`, if it sent one. Nothing when that is not before
    // `deadline`: the call then ends with the error that it has, rather than wait for an answer
    // that cannot come.
    [[nodiscard]] std::optional<Clock::time_point> next(
        int retry,
        double uniform,
        Clock::time_point now,
        Clock::time_point deadline,
        std::optional<Clock::duration> retry_after) const;
};

}  // namespace lepton::client
