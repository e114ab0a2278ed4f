#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "lepton/core/clock.h"

namespace lepton::client {

// Chooses the endpoint of the next attempt: of two drawn at random, the one with fewer calls in
// flight. That keeps the longest queue at log log n where one random draw gives log n / log log n
// (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001). Unlike always
// taking the emptiest, it does not send every client to the same endpoint.
//
// An endpoint that refuses connections is left out for a time that doubles with each further
// failure; then one attempt is sent there as a probe. When all are left out, the one whose time is
// up first is tried, so that the client never refuses by itself. Thread-safe.
class EndpointChooser {
public:
    struct Options {
        int failures_to_eject = 2;  // Consecutive failures. One may be the end of a restart.
        Clock::duration first_ejection = std::chrono::milliseconds(100);
        Clock::duration most_ejection = std::chrono::seconds(10);
    };

    // Precondition: count > 0.
    explicit EndpointChooser(std::size_t count) : EndpointChooser(count, Options{}) {}
    EndpointChooser(std::size_t count, Options options);

    [[nodiscard]] std::size_t size() const { return count_; }

    // Returns the index of the endpoint for an attempt that starts now; `bits` are 64 random bits.
    // `avoid` is the endpoint that the call has tried already: it is returned only when there is no
    // other.
    [[nodiscard]] std::size_t choose(std::uint64_t bits,
                                     Clock::time_point now,
                                     std::optional<std::size_t> avoid = std::nullopt);

    // Whether any other endpoint takes calls.
    [[nodiscard]] bool has_other(std::size_t endpoint) const;

    // Every attempt is begun and ended once, whatever its outcome.
    void begin(std::size_t endpoint) { at(endpoint).in_flight.fetch_add(1, kRelaxed); }
    void end(std::size_t endpoint) { at(endpoint).in_flight.fetch_sub(1, kRelaxed); }

    // Attempts that were in flight when the endpoint was ejected do not prolong its time.
    void connect_failed(std::size_t endpoint, Clock::time_point now);
    void connected(std::size_t endpoint);

    [[nodiscard]] std::int32_t in_flight(std::size_t endpoint) const {
        return at(endpoint).in_flight.load(kRelaxed);
    }
    [[nodiscard]] bool ejected(std::size_t endpoint) const {
        return at(endpoint).retry_at.load(kRelaxed) != kNotEjected;
    }

private:
    // Counts and hints: nothing is published through any of them.
    static constexpr auto kRelaxed = std::memory_order_relaxed;
    static constexpr Clock::rep kNotEjected = 0;

    struct alignas(64) Endpoint {  // A cache line each, because every call writes one.
        std::atomic<std::int32_t> in_flight{0};
        // Consecutive failures to connect before the ejection.
        std::atomic<std::int32_t> failures{0};
        // Consecutive; the time of the last one is the longest.
        std::atomic<std::int32_t> ejections{0};
        std::atomic<Clock::rep> retry_at{kNotEjected};  // Counted from the clock's epoch.
    };

    [[nodiscard]] const Endpoint& at(std::size_t endpoint) const { return endpoints_[endpoint]; }
    [[nodiscard]] Endpoint& at(std::size_t endpoint) { return endpoints_[endpoint]; }
    [[nodiscard]] Clock::duration ejection(std::int32_t nth) const;
    [[nodiscard]] std::optional<std::size_t> due_probe(Clock::time_point now,
                                                       std::optional<std::size_t> avoid);
    [[nodiscard]] std::size_t first_due(std::optional<std::size_t> avoid) const;

    std::size_t count_;
    Options options_;
    std::unique_ptr<Endpoint[]> endpoints_;
};

}  // namespace lepton::client
