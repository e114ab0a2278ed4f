#include "lepton/core/float_text.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace lepton {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The grammar of RFC 8259, section 6, for what follows the sign.
bool is_json_number(std::string_view text) {
    const auto digits = [&text] {
        const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
        const auto count = static_cast<std::size_t>(end - text.begin());
        text.remove_prefix(count);
        return count;
    };
    const bool leading_zero = text.starts_with('0');
    const std::size_t whole = digits();
    if (whole == 0 || (leading_zero && whole > 1)) return false;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (digits() == 0) return false;
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
        if (digits() == 0) return false;
    }
    return text.empty();
}

bool is_too_large(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    // Out of range at the lower end too: where it is less than 1.
    if (error != std::errc::result_out_of_range) return false;
    const auto exponent = text.find_first_of("eE");
    if (exponent == std::string_view::npos) return text.front() != '0';
    return text[exponent + 1] != '-';
}

}  // namespace

std::optional<double> read_infinite(std::string_view token) {
    token = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
    const bool negative = token.starts_with('-');
    const std::string_view text = token.substr(negative ? 1 : 0);
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (text == kNanText) return std::numeric_limits<double>::quiet_NaN();
    if (text == kInfinityText || text == "Inf" || (is_json_number(text) && is_too_large(text))) {
        return negative ? -kInfinity : kInfinity;
    }
    return std::nullopt;
}

}  // namespace lepton
