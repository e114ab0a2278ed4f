#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "histogram.h"
#include "lepton/core/clock.h"
#include "lepton/core/error.h"
#include "lepton/core/timeline.h"

namespace lepton::bench {

// One request after its end.
struct Ended {
    Clock::time_point planned;  // When it was due; in a closed loop, when it was sent.
    Clock::time_point sent;     // When it was handed to the client.
    Clock::time_point ended;
    Clock::time_point deadline;  // kNoDeadline: none.
    Clock::time_point give_up;   // When the client ends it by itself.
    std::optional<Error> error;  // Empty: answered.
    Breakdown timing;            // From an answer; all zero where the server does not say.
};

enum class Outcome : std::uint8_t {
    kInTime,   // Answered by the deadline.
    kLate,     // Answered after it.
    kRefused,  // Not admitted: 429 or 504 by the deadline.
    kExpired,  // The same after the deadline: the server had admitted it, or refused too late.
    kFailed,   // Everything else: no connection, no answer, an error of the server.
};
[[nodiscard]] Outcome outcome_of(const Ended& request);

// The outcomes of the requests of one class. Times count from the planned send time, so that a
// generator or a server that stalls is charged for the requests that should have been sent in the
// meantime. Tallies add up. Not thread-safe.
class Tally {
public:
    void add(const Ended& request);
    void merge(const Tally& other);

    [[nodiscard]] std::uint64_t requests() const;
    [[nodiscard]] std::uint64_t of(Outcome outcome) const {
        return outcomes_[static_cast<std::size_t>(outcome)];
    }
    [[nodiscard]] std::uint64_t answered() const {
        return of(Outcome::kInTime) + of(Outcome::kLate);
    }
    // Share of requests in time: of all, and of those that were neither refused nor failed. 1 if
    // there were none.
    [[nodiscard]] double attainment() const;
    [[nodiscard]] double attainment_of_admitted() const;

    struct ErrorCount {
        std::uint64_t count = 0;
        std::string example;  // The first error's message.
    };
    [[nodiscard]] const std::array<ErrorCount, kErrorCodeCount>& errors() const { return errors_; }

    [[nodiscard]] const Histogram& latency() const { return latency_; }  // For answers.
    [[nodiscard]] const Histogram& refusal() const { return refusal_; }  // Time until a refusal.
    [[nodiscard]] const Histogram& since_sent() const { return since_sent_; }  // For answers.
    [[nodiscard]] const Histogram& refusal_since_sent() const { return refusal_since_sent_; }
    // As the server reports it; empty where it does not.
    [[nodiscard]] const Histogram& queue() const { return queue_; }
    [[nodiscard]] const Histogram& compute() const { return compute_; }

private:
    std::array<std::uint64_t, 5> outcomes_{};
    std::array<ErrorCount, kErrorCodeCount> errors_;
    Histogram latency_;
    Histogram refusal_;
    Histogram since_sent_;
    Histogram refusal_since_sent_;
    Histogram queue_;
    Histogram compute_;
};

}  // namespace lepton::bench
