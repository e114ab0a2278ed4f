#include "retry_backoff.h"

#include <algorithm>

namespace lepton::client {

std::optional<Clock::time_point> RetryBackoff::next(
    int retry,
    double uniform,
    Clock::time_point now,
    Clock::time_point deadline,
    std::optional<Clock::duration> retry_after) const {
    Clock::duration bound = std::min(first, most);
    for (int i = 0; i < retry && bound < most; ++i) bound = bound > most / 2 ? most : bound * 2;
    const std::chrono::duration<double, Clock::period> drawn(uniform *
                                                             static_cast<double>(bound.count()));
    const Clock::duration wait = std::max(std::chrono::duration_cast<Clock::duration>(drawn),
                                          retry_after.value_or(Clock::duration::zero()));
    // A server may name any wait; a difference of times cannot overflow.
    if (wait >= deadline - now) return std::nullopt;
    return now + wait;
}

}  // namespace lepton::client
