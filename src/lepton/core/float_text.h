#pragma once

#include <optional>
#include <string_view>

namespace lepton {

// JSON's grammar has no words for the floats that are not finite. Those of Python's json module and
// of RapidJSON, with which Triton and its clients write them, are in use all the same.
inline constexpr std::string_view kNanText = "NaN";
inline constexpr std::string_view kInfinityText = "Infinity";
inline constexpr std::string_view kMinusInfinityText = "-Infinity";

// What a token that is no finite number of double's range stands for: the words above, RapidJSON's
// "Inf" too, each with or without a minus; and infinity for a number by JSON's grammar that is too
// large for double, such as 1e999. Nothing for other text.
[[nodiscard]] std::optional<double> read_infinite(std::string_view token);

}  // namespace lepton
