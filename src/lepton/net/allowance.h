#pragma once

#include <algorithm>
#include <chrono>

#include "lepton/core/clock.h"

namespace lepton::net {

// A token bucket, full at the start. Not thread-safe; the owner serialises.
class Allowance {
public:
    Allowance(double burst, double per_second)
        : burst_(burst), per_second_(per_second), left_(burst) {}

    // False: there is not enough left.
    [[nodiscard]] bool spend(double cost, Clock::time_point now) {
        const std::chrono::duration<double> passed = now - spent_at_;
        if (passed.count() > 0) {
            earn(per_second_ * passed.count());
            spent_at_ = now;
        }
        left_ -= cost;
        return left_ >= 0;
    }
    void earn(double more) { left_ = std::min(burst_, left_ + more); }

private:
    const double burst_;
    const double per_second_;
    double left_;
    Clock::time_point spent_at_;
};

}  // namespace lepton::net
