#pragma once

#include "measurement.h"
#include "target.h"

namespace lepton::bench {

// Runs `concurrency` threads, each of which sends its next request when the last one has ended,
// without a hand-off. What is sent between the end of the warm-up and `warmup + duration` counts.
// Precondition: concurrency > 0.
[[nodiscard]] Measurement run_closed_loop(Target& target, const Plan& plan, int concurrency);

}  // namespace lepton::bench
