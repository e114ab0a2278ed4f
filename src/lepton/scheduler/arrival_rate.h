#pragma once

#include <cmath>

#include "lepton/core/clock.h"

namespace lepton::scheduler {

// Rows that arrive per second, averaged over about `window`. What arrives is counted, and brought
// into the average kSteps times a window. Not thread-safe; the owner serialises.
class ArrivalRate {
public:
    void add(std::int64_t rows, Clock::time_point now, Clock::duration window) {
        counted_ += rows;
        if (now - counted_from_ < window / kSteps) return;
        const double passed = seconds(now - counted_from_);
        const double weight = 1 - std::exp(-passed / seconds(window));
        per_second_ += (static_cast<double>(counted_) / passed - per_second_) * weight;
        counted_from_ = now;
        counted_ = 0;
    }
    [[nodiscard]] double per_second() const { return per_second_; }

private:
    static constexpr int kSteps = 32;
    static double seconds(Clock::duration time) {
        return std::chrono::duration<double>(time).count();
    }

    std::int64_t counted_ = 0;
    Clock::time_point counted_from_;
    double per_second_ = 0;
};

}  // namespace lepton::scheduler
