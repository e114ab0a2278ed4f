#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arrivals.h"
#include "lepton/core/clock.h"
#include "lepton/model/loaded_model.h"

namespace lepton::sim {

// One request of a workload. Times count from the beginning.
struct Arrival {
    Clock::duration at{};
    Clock::duration timeout{};  // Zero: none.
    std::int64_t rows = 1;
    std::uint32_t priority = 0;
    std::uint64_t shape_class = 0;
};

// How long runs of a model take: by prepared row count, noisy, with stragglers.
struct ServiceCurve {
    std::string name;
    std::vector<model::ServiceTime> times;  // Ascending by rows.
    double noise = 0.04;                    // Standard deviation of the logarithm.
    double straggler_share = 0.003;
    double straggler_factor = 2.5;

    [[nodiscard]] Clock::duration single() const { return times.front().time; }
    [[nodiscard]] Clock::duration of(std::int64_t rows) const;
    // Rows per second at the best row count.
    [[nodiscard]] double capacity() const;
};

// Measured on OpenVINO, one core, f32 (docs/concepts/scheduling.md says how), and one that batches
// better than any of these.
const std::vector<ServiceCurve>& measured_curves();

using bench::Pattern;

// Single-row requests at the times at which the load generator would send them, as far as there are
// so many, with timeouts drawn from 6, 14 and 36 times `single`. The same seed gives the same
// requests.
std::vector<Arrival> make_arrivals(const bench::Arrivals::Options& due,
                                   std::size_t count,
                                   Clock::duration single);
// The same by a pattern that needs no trace, with bursts of 100 times `single`.
std::vector<Arrival> make_arrivals(
    Pattern pattern, double rate, std::size_t count, Clock::duration single, std::uint64_t seed);

}  // namespace lepton::sim
