#include "endpoint_chooser.h"

#include <algorithm>
#include <limits>

namespace lepton::client {
namespace {

// A number below `bound`, from 32 random bits, without a division (Lemire 2019; its bias of bound /
// 2^32 does not matter here).
std::size_t below(std::uint64_t bound, std::uint32_t bits) { return bound * bits >> 32; }

}  // namespace

EndpointChooser::EndpointChooser(std::size_t count, Options options)
    : count_(count), options_(options), endpoints_(std::make_unique<Endpoint[]>(count)) {}

std::size_t EndpointChooser::choose(std::uint64_t bits,
                                    Clock::time_point now,
                                    std::optional<std::size_t> avoid) {
    if (count_ == 1) return 0;
    if (const auto probe = due_probe(now, avoid)) return *probe;
    const auto takes_calls = [&](std::size_t i) { return i != avoid && !ejected(i); };
    std::size_t healthy = 0;
    for (std::size_t i = 0; i < count_; ++i) healthy += takes_calls(i) ? 1 : 0;
    // The endpoint with that rank among them. Others may have changed since the count, so it may
    // run off the end.
    const auto with_rank = [&](std::size_t rank) {
        std::size_t last = count_;
        for (std::size_t i = 0; i < count_; ++i) {
            if (!takes_calls(i)) continue;
            last = i;
            if (rank-- == 0) break;
        }
        return last;
    };
    std::size_t chosen = count_;
    if (healthy == 1) chosen = with_rank(0);
    if (healthy > 1) {
        const std::size_t one = below(healthy, static_cast<std::uint32_t>(bits));
        std::size_t other = below(healthy - 1, static_cast<std::uint32_t>(bits >> 32));
        if (other >= one) ++other;
        const std::size_t a = with_rank(one);
        const std::size_t b = with_rank(other);
        chosen = a == count_ || b == count_ || in_flight(a) <= in_flight(b) ? a : b;
    }
    if (chosen != count_) return chosen;
    if (avoid && !ejected(*avoid)) return *avoid;
    return first_due(avoid);
}

bool EndpointChooser::has_other(std::size_t endpoint) const {
    for (std::size_t i = 0; i < count_; ++i) {
        if (i != endpoint && !ejected(i)) return true;
    }
    return false;
}

std::optional<std::size_t> EndpointChooser::due_probe(Clock::time_point now,
                                                      std::optional<std::size_t> avoid) {
    const Clock::rep at_present = now.time_since_epoch().count();
    for (std::size_t i = 0; i < count_; ++i) {
        Clock::rep due = at(i).retry_at.load(kRelaxed);
        if (due == kNotEjected || due > at_present || i == avoid) continue;
        // Whoever moves the time forward is the one that probes. If its attempt fails, nothing
        // changes.
        const std::int32_t nth = at(i).ejections.load(kRelaxed);
        const Clock::rep later = at_present + ejection(nth).count();
        if (!at(i).retry_at.compare_exchange_strong(due, later, kRelaxed)) continue;
        at(i).ejections.store(nth + 1, kRelaxed);
        return i;
    }
    return std::nullopt;
}

std::size_t EndpointChooser::first_due(std::optional<std::size_t> avoid) const {
    std::size_t first = avoid.value_or(0);
    Clock::rep first_due = std::numeric_limits<Clock::rep>::max();
    for (std::size_t i = 0; i < count_; ++i) {
        const Clock::rep due = at(i).retry_at.load(kRelaxed);
        if (i == avoid || due >= first_due) continue;
        first = i;
        first_due = due;
    }
    return first;
}

Clock::duration EndpointChooser::ejection(std::int32_t nth) const {
    Clock::duration time = options_.first_ejection;
    for (std::int32_t i = 0; i < nth; ++i) {
        if (time > options_.most_ejection / 2) return options_.most_ejection;
        time *= 2;
    }
    return time;
}

void EndpointChooser::connect_failed(std::size_t endpoint, Clock::time_point now) {
    const std::int32_t failures = at(endpoint).failures.fetch_add(1, kRelaxed) + 1;
    if (failures < options_.failures_to_eject) return;
    const Clock::time_point until = now + ejection(0);
    Clock::rep none = kNotEjected;
    if (at(endpoint).retry_at.compare_exchange_strong(
            none, until.time_since_epoch().count(), kRelaxed)) {
        at(endpoint).ejections.store(1, kRelaxed);
    }
}

void EndpointChooser::connected(std::size_t endpoint) {
    // Stored only where they change, so that the line stays shared between the callers' processors.
    if (at(endpoint).failures.load(kRelaxed) != 0) at(endpoint).failures.store(0, kRelaxed);
    if (ejected(endpoint)) at(endpoint).retry_at.store(kNotEjected, kRelaxed);
}

}  // namespace lepton::client
