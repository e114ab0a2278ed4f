#pragma once

#include <algorithm>
#include <cmath>

#include "lepton/core/clock.h"

namespace lepton::scheduler {

// How much of its wait a call must have left before its deadline to be admitted. What is predicted
// is the less certain the farther away it is; how uncertain, nobody can say beforehand: runs
// scatter, and other models take the cores when they like. So the margin follows the promises: one
// that is broken raises it by kStep, and one that is kept lowers it by as much less as kMayBreak is
// small, which in the long run leaves that share of them broken whatever the cause is (adaptive
// conformal inference, Gibbs and Candes 2021, arXiv:2106.00170). It also forgets, by half in
// kForgets, so that what has passed does not refuse calls for long.
//
// The constants are the result of simulations: docs/concepts/scheduling.md. Not thread-safe; the
// owner serialises.
class AdmissionMargin {
public:
    // Seconds to spare for each second of waiting; from kLeast to kMost.
    [[nodiscard]] double value() const { return value_; }

    void on_kept() { move(-kMayBreak); }
    void on_broken() { move(1 - kMayBreak); }
    // Cheap, to be called before a decision.
    void pass_to(Clock::time_point now) {
        const std::chrono::duration<double> passed = now - passed_to_;
        if (passed < std::chrono::seconds(1)) return;
        passed_to_ = now;
        value_ = kLeast + (value_ - kLeast) * std::exp2(-passed / kForgets);
    }

    static constexpr double kLeast = 0.05;
    static constexpr double kMost = 4;

private:
    static constexpr double kStep = 0.1;
    static constexpr double kMayBreak = 0.003;
    static constexpr std::chrono::duration<double> kForgets{30};

    void move(double steps) { value_ = std::clamp(value_ + kStep * steps, kLeast, kMost); }

    double value_ = kLeast;
    Clock::time_point passed_to_;
};

}  // namespace lepton::scheduler
