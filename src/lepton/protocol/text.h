#pragma once

#include <charconv>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "lepton/core/utf8.h"  // IWYU pragma: export

namespace lepton::protocol {

// Pieces of an error message in one string.
[[nodiscard]] std::string concat(std::initializer_list<std::string_view> pieces);

// A client's word for an error message: in quotes, cut to a sensible length, with every byte that
// is not printable UTF-8 replaced, so that the message is safe in JSON, in a header and in a log.
[[nodiscard]] std::string in_quotes(std::string_view word);

// The whole text as a decimal integer of that type; nothing when it is none, or out of range.
template <class Integer>
[[nodiscard]] std::optional<Integer> parse_integer(std::string_view text) {
    Integer value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace lepton::protocol
