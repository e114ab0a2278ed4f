#include "tally.h"

#include <algorithm>
#include <numeric>

namespace lepton::bench {
namespace {

std::uint64_t in_nanoseconds(Clock::duration time) {
    return static_cast<std::uint64_t>(
        std::max<std::int64_t>(std::chrono::nanoseconds(time).count(), 0));
}

double share(std::uint64_t part, std::uint64_t all) {
    return all == 0 ? 1 : static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

Outcome outcome_of(const Ended& request) {
    if (!request.error) {
        return request.ended <= request.deadline ? Outcome::kInTime : Outcome::kLate;
    }
    switch (request.error->code) {
        case ErrorCode::kDeadlineExceeded:
            // The client gave it up, because the server did not answer.
            if (request.ended >= request.give_up) return Outcome::kFailed;
            [[fallthrough]];
        case ErrorCode::kQueueFull:
        case ErrorCode::kOverloaded:
            return request.ended <= request.deadline ? Outcome::kRefused : Outcome::kExpired;
        default:
            return Outcome::kFailed;
    }
}

void Tally::add(const Ended& request) {
    const Outcome outcome = outcome_of(request);
    ++outcomes_[static_cast<std::size_t>(outcome)];
    const std::uint64_t latency = in_nanoseconds(request.ended - request.planned);
    const std::uint64_t since_sent = in_nanoseconds(request.ended - request.sent);
    if (request.error) {
        ErrorCount& errors = errors_[static_cast<std::size_t>(request.error->code)];
        if (errors.count++ == 0) errors.example = request.error->message;
        if (outcome != Outcome::kRefused) return;
        refusal_.record(latency);
        refusal_since_sent_.record(since_sent);
        return;
    }
    latency_.record(latency);
    since_sent_.record(since_sent);
    if (request.timing.total.count() == 0) return;
    queue_.record(in_nanoseconds(request.timing.queue));
    compute_.record(in_nanoseconds(request.timing.compute));
}

void Tally::merge(const Tally& other) {
    for (std::size_t i = 0; i < outcomes_.size(); ++i) outcomes_[i] += other.outcomes_[i];
    for (std::size_t i = 0; i < errors_.size(); ++i) {
        if (errors_[i].count == 0) errors_[i].example = other.errors_[i].example;
        errors_[i].count += other.errors_[i].count;
    }
    latency_.merge(other.latency_);
    refusal_.merge(other.refusal_);
    since_sent_.merge(other.since_sent_);
    refusal_since_sent_.merge(other.refusal_since_sent_);
    queue_.merge(other.queue_);
    compute_.merge(other.compute_);
}

std::uint64_t Tally::requests() const {
    return std::accumulate(outcomes_.begin(), outcomes_.end(), std::uint64_t{0});
}

double Tally::attainment() const { return share(of(Outcome::kInTime), requests()); }

double Tally::attainment_of_admitted() const {
    return share(of(Outcome::kInTime), answered() + of(Outcome::kExpired));
}

}  // namespace lepton::bench
