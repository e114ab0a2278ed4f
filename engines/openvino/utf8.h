#pragma once

#include <cstddef>
#include <string_view>

namespace lepton::openvino {

// Returns the position of the first byte that does not belong to a character of well-formed UTF-8
// (table 3-7 of the Unicode standard: no surrogates, no overlong forms, nothing above U+10FFFF), or
// text.size() when all do.
[[nodiscard]] std::size_t valid_utf8_prefix(std::string_view text) noexcept;

}  // namespace lepton::openvino
