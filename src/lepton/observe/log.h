#pragma once

#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

namespace lepton::observe {

// Sends all logs to stderr, in color only on a terminal and without NO_COLOR
// (https://no-color.org). `level` is trace, debug, info, warn, error or off; returns false for
// anything else. `format` "json" makes each line an object with time, level and message; otherwise
// a line begins with the first two.
bool set_up_logging(std::string_view level, std::string_view format = "text");

// Formats a value for a key=value line: quoted where it is empty or holds a space or a quotation
// mark. The result is always one line.
[[nodiscard]] std::string quoted(std::string_view value);

}  // namespace lepton::observe
