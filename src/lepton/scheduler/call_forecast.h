#pragma once

#include <algorithm>

#include "lepton/core/clock.h"
#include "lepton/scheduler/core_budget.h"

namespace lepton::scheduler {

// What the calls with a deadline that came lately say about the next one. Not thread-safe; the
// owner serialises.
class CallForecast {
public:
    // `slack`: how long the call could have waited. One that could not does not count.
    void arrived(Clock::duration slack, Clock::time_point now) {
        if (slack <= Clock::duration::zero()) return;
        if (now - began_ > kWindow) {
            before_ = now - began_ > 2 * kWindow ? kNone : lately_;
            lately_ = kNone;
            began_ = now;
        }
        lately_ = std::min(lately_, slack);
        gap_ += (std::min<Clock::duration>(now - last_, kWindow) - gap_) / kCalls;
        last_ = now;
    }
    void fill(Work& work) const {
        const Clock::duration slack = std::min(lately_, before_);
        work.foreseen_slack = slack == kNone ? Clock::duration::zero() : slack;
        work.foreseen_gap = gap_;
        work.last_arrival = last_;
    }

private:
    static constexpr Clock::duration kWindow = std::chrono::seconds(1);
    static constexpr Clock::duration kNone = Clock::duration::max();
    static constexpr int kCalls = 8;  // Over which the gap is averaged.

    Clock::duration lately_ = kNone;  // Least slack since began_.
    Clock::duration before_ = kNone;  // In the window before.
    Clock::duration gap_ = kWindow;   // Between calls, on average.
    Clock::time_point began_;
    Clock::time_point last_;
};

}  // namespace lepton::scheduler
