#pragma once

#include "arrivals.h"
#include "lepton/core/result.h"
#include "measurement.h"
#include "target.h"

namespace lepton::bench {

// Sends requests when they are due, whether or not earlier ones were answered, on the calling
// thread. What was planned between the end of the warm-up and `warmup + duration` counts; the load
// goes on until all of that is answered, so that the last requests meet the same load as the first.
//
// Errors: kInvalidArgument for a trace that names an unknown class.
[[nodiscard]] Result<Measurement> run_open_loop(Target& target,
                                                const Plan& plan,
                                                Arrivals::Options arrivals);

}  // namespace lepton::bench
