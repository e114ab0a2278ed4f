#pragma once

#include <string>
#include <string_view>

namespace lepton::model {

// The kind of processor that this machine has: its name, and a digest of what it can do. What was
// measured on one kind says little about another, and its runtime may take another path.
[[nodiscard]] const std::string& cpu_identity();

// From the text of /proc/cpuinfo.
[[nodiscard]] std::string parse_cpu_identity(std::string_view cpuinfo);

}  // namespace lepton::model
