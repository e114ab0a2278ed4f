#pragma once

#include <string>
#include <string_view>

namespace lepton {

// The bytes as valid UTF-8, each invalid one as U+FFFD. Names of files, and so of models, are
// bytes; JSON, Prometheus and protobuf refuse a whole page for one that is not UTF-8.
[[nodiscard]] std::string to_utf8(std::string_view bytes);

}  // namespace lepton
