#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arrivals.h"
#include "load_class.h"
#include "model_inputs.h"
#include "target.h"

namespace lepton::bench {

// The options of the command line.
struct Options {
    TargetOptions target;
    std::string model;  // Empty: the only one that there is.
    std::string version;
    InputOptions inputs;
    Arrivals::Options arrivals;  // Open loop, unless `concurrency` is set.
    std::string trace_file;
    int concurrency = 0;
    std::vector<LoadClass> classes;
    std::chrono::nanoseconds warmup = std::chrono::seconds(1);
    std::chrono::nanoseconds duration = std::chrono::seconds(10);
    bool progress = false;
    bool buckets = true;
};

// Returns an exit status instead when there is nothing to do: --help was given, or an error was
// found and reported on stderr.
struct Parsed {
    std::optional<Options> options;
    int exit_status = 0;
};
[[nodiscard]] Parsed parse_options(int argc, char** argv);

}  // namespace lepton::bench
