#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "latency_quantile.h"
#include "lepton/core/clock.h"
#include "retry_budget.h"

namespace lepton::client {

// When a call that has no answer yet sends its request to another endpoint as well, to take
// whichever answer comes first: after the time within which most calls are answered, so that the
// extra load is small (Dean and Barroso, "The Tail at Scale", 2013: hedged requests after the 95th
// percentile). Thread-safe.
//
// A call asks delay() when its first attempt goes out. If that time passes without an answer, and
// try_hedge() agrees, the second one goes out. Whatever the outcome, the call records how long the
// *first* attempt took, or its age when it was given up: without the slow ones the quantile would
// sink with every hedge that wins.
class HedgePolicy {
public:
    struct Options {
        bool enabled = false;
        double quantile = 0.95;           // Over the latencies of first attempts.
        std::uint64_t min_samples = 100;  // Calls to measure before it knows what is slow.
        double extra_load = 0.05;         // Share of calls that may send a second request.
        bool same_endpoint = false;       // Hedge even when there is no other endpoint.
        Clock::duration min_delay = std::chrono::microseconds(100);
    };

    HedgePolicy() : HedgePolicy(Options{}) {}
    explicit HedgePolicy(Options options);

    // Called at the start of each call. Empty: this call is not hedged.
    [[nodiscard]] std::optional<Clock::duration> delay(bool has_other_endpoint);

    // Called when the delay has passed: takes the hedge from the budget, or refuses.
    [[nodiscard]] bool try_hedge() { return budget_.try_spend(); }

    void record(Clock::duration first_attempt);

private:
    Options options_;
    LatencyQuantile latency_;
    RetryBudget budget_;
};

}  // namespace lepton::client
