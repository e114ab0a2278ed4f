#pragma once

#include <atomic>
#include <cstdint>

namespace lepton::client {

// How many attempts beyond the first the calls of one client may make together, so that a server in
// trouble is not buried under the retries of its clients. Each call pays in a fraction of a token,
// each extra attempt takes a whole one: over any series of calls the number of extra attempts is at
// most `most_tokens + tokens_per_call * calls`.
//
// The bucket is gRPC's (maxTokens 10, tokenRatio 0.1: proposal A6, "Throttling Retry Attempts and
// Hedged RPCs"); that calls rather than successes fill it, and only retries empty it, is Finagle's
// RetryBudget (20 % by default), which keeps probing a server that fails everything.
//
// Thread-safe.
class RetryBudget {
public:
    struct Options {
        double tokens_per_call = 0.1;  // Share of calls that may be tried again in the long run.
        double most_tokens = 10;       // The largest burst; also what a new client starts with.
    };

    RetryBudget() : RetryBudget(Options{}) {}
    explicit RetryBudget(Options options);

    // Called once per call, however many attempts it makes.
    void on_call();

    // Takes a token for one more attempt; returns false when there is none, and the call has to
    // end.
    [[nodiscard]] bool try_spend();

    [[nodiscard]] double tokens() const;

private:
    // Thousandths of a token, so that the fraction is exact enough and the counter one atomic.
    static constexpr std::int64_t kToken = 1000;

    std::int64_t per_call_;
    std::int64_t most_;
    // Relaxed throughout: nothing else is published through it.
    std::atomic<std::int64_t> milli_tokens_;
};

}  // namespace lepton::client
