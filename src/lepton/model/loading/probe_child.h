#pragma once

#include <filesystem>
#include <string>

#include "lepton/core/result.h"

namespace lepton::model {

// Where the process writes its lines; its standard output is for what engines print.
inline constexpr int kProbeOutput = 3;

// The other side of Probe: does what the request on standard input says, and tells it line by line.
// Returns the exit status. The process must have no other threads yet.
int run_probe();

// Measures a model for all cores of this machine; the record of it, for the lepton.json of a
// service. `engines_folder` has the plug-ins, `config` may be missing. Errors: those of the model.
Result<std::string> record_of(const std::filesystem::path& engines_folder,
                              const std::filesystem::path& file,
                              const std::filesystem::path& config);

}  // namespace lepton::model
