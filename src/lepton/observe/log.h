#pragma once

#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

namespace lepton::observe {

// Sends all logs to stderr, in color only for a terminal and without NO_COLOR
// (https://no-color.org). `level`: trace, debug, info, warn, error or off. False when it is none of
// these.
bool set_up_logging(std::string_view level);

// A value for a key=value line: quoted where it holds a space, a quotation mark or nothing. Always
// one line, whatever the value.
[[nodiscard]] std::string quoted(std::string_view value);

}  // namespace lepton::observe
