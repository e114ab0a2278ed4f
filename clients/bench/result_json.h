#pragma once

#include <string>

#include "lepton/inference.h"
#include "measurement.h"
#include "options.h"

namespace lepton::bench {

// Returns the result as one line of JSON; README.md beside this file explains its fields.
[[nodiscard]] std::string to_json(const Options& options,
                                  const ModelInfo& model,
                                  const Plan& plan,
                                  const Measurement& seen);

[[nodiscard]] std::string to_json(const Plan::Progress& progress);

}  // namespace lepton::bench
