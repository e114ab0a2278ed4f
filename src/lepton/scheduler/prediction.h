#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "lepton/core/clock.h"

namespace lepton::scheduler {

// Nothing is predicted to take longer: a request may bring any number of rows, and what is summed
// up over a whole queue, and stretched, must stay far from the end of the clock.
inline constexpr Clock::duration kLongestPrediction = std::chrono::hours(24);

// `time` that many times over.
[[nodiscard]] inline Clock::duration repeated(Clock::duration time, std::int64_t count) {
    Clock::rep product = 0;
    if (__builtin_mul_overflow(time.count(), count, &product)) return kLongestPrediction;
    return std::min(Clock::duration(product), kLongestPrediction);
}

[[nodiscard]] inline Clock::duration scaled(Clock::duration time, double by) {
    const double longest = static_cast<double>(kLongestPrediction.count());
    return Clock::duration(
        std::llround(std::clamp(static_cast<double>(time.count()) * by, -longest, longest)));
}

}  // namespace lepton::scheduler
