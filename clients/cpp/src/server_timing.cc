#include <chrono>
#include <cstdint>
#include <optional>

#include "exchange.h"

namespace lepton::client {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

// Returns the text before `separator` and removes both from `rest`.
std::string_view next_part(std::string_view& rest, char separator) {
    const std::size_t at = rest.find(separator);
    const std::string_view part = rest.substr(0, at);
    rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
    return trimmed(part);
}

// Parses a decimal number of milliseconds, to the nanosecond. Written by hand, because
// std::from_chars() of a double takes longer than all other parsing of a small answer.
std::optional<Clock::duration> milliseconds_of(std::string_view text) {
    constexpr std::int64_t kNanoseconds = 1'000'000;  // In one millisecond.
    constexpr std::size_t kMostDigits = 12;           // What is longer is not a measurement.
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    std::size_t at = 0;
    std::int64_t whole = 0;
    for (; at < text.size() && is_digit(text[at]); ++at) {
        if (at == kMostDigits) return std::nullopt;
        whole = whole * 10 + (text[at] - '0');
    }
    if (at == 0) return std::nullopt;
    std::int64_t nanoseconds = 0;
    if (at < text.size() && text[at] == '.') {
        std::int64_t unit = kNanoseconds / 10;
        for (++at; at < text.size() && is_digit(text[at]); ++at, unit /= 10) {
            nanoseconds += (text[at] - '0') * unit;
        }
    }
    if (at != text.size()) return std::nullopt;
    return std::chrono::nanoseconds(whole * kNanoseconds + nanoseconds);
}

Clock::duration* field_of(Breakdown& breakdown, std::string_view name) {
    if (name == "net") return &breakdown.net;
    if (name == "queue") return &breakdown.queue;
    if (name == "input") return &breakdown.input;
    if (name == "compute") return &breakdown.compute;
    if (name == "output") return &breakdown.output;
    if (name == "total") return &breakdown.total;
    return nullptr;
}

}  // namespace

Breakdown parse_server_timing(std::string_view text) {
    Breakdown breakdown;
    Clock::duration sum{};
    while (!text.empty()) {
        std::string_view metric = next_part(text, ',');
        Clock::duration* const field = field_of(breakdown, next_part(metric, ';'));
        while (!metric.empty()) {
            std::string_view parameter = next_part(metric, ';');
            if (next_part(parameter, '=') != "dur" || field == nullptr) continue;
            const auto time = milliseconds_of(parameter);
            if (!time) continue;
            *field = *time;
            if (field != &breakdown.total) sum += *field;
        }
    }
    // Lepton names the parts; the whole is their sum.
    if (breakdown.total == Clock::duration::zero()) breakdown.total = sum;
    return breakdown;
}

}  // namespace lepton::client
