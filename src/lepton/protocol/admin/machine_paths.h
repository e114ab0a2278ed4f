#pragma once

#include <string>
#include <string_view>

namespace lepton::protocol {

// The text with only the last part of each absolute path of this machine, which is for whoever runs
// the server: "/srv/models/a/config.pbtxt: unknown field" becomes "config.pbtxt: unknown field".
// What only looks like one, such as a tensor's name, stays.
[[nodiscard]] std::string without_paths(std::string_view text);

}  // namespace lepton::protocol
