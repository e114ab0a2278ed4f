#pragma once

#include <optional>
#include <string>

#include "lepton/server/config.h"

namespace lepton::cli {

enum class Command : std::uint8_t { kServe, kVersion };

struct Options {
    Command command = Command::kServe;
    server::Config config;
    // The options in force, each as "name=value", for the log.
    std::string summary;
};

// Reads flags, then the environment (LEPTON_<FLAG>), then the file of --config, each overriding
// those after it. Returns an exit status instead when there is nothing to run: --help was given, or
// an error was found and reported on stderr.
struct Parsed {
    std::optional<Options> options;
    int exit_status = 0;
};
[[nodiscard]] Parsed parse_options(int argc, char** argv);

}  // namespace lepton::cli
