#pragma once

#include <chrono>

namespace lepton {

// Every deadline and every timestamp is a point on this clock; wall-clock time appears only in
// logs.
using Clock = std::chrono::steady_clock;

// "No deadline": later than every real point, so that ordering by deadline needs no special case.
inline constexpr Clock::time_point kNoDeadline = Clock::time_point::max();

}  // namespace lepton
