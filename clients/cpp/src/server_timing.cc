#include <charconv>
#include <chrono>

#include "exchange.h"

namespace lepton::client {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

// The text before `separator`, which is taken off `rest` with it.
std::string_view next_part(std::string_view& rest, char separator) {
    const std::size_t at = rest.find(separator);
    const std::string_view part = rest.substr(0, at);
    rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
    return trimmed(part);
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
    constexpr double kLongest = 1e9;  // Milliseconds; what is longer is no measurement.
    Breakdown breakdown;
    Clock::duration sum{};
    while (!text.empty()) {
        std::string_view metric = next_part(text, ',');
        Clock::duration* const field = field_of(breakdown, next_part(metric, ';'));
        while (!metric.empty()) {
            std::string_view parameter = next_part(metric, ';');
            if (next_part(parameter, '=') != "dur" || field == nullptr) continue;
            double milliseconds = 0;
            const auto [end, error] = std::from_chars(
                parameter.data(), parameter.data() + parameter.size(), milliseconds);
            if (error != std::errc() || !(milliseconds >= 0 && milliseconds < kLongest)) continue;
            *field = std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double, std::milli>(milliseconds));
            if (field != &breakdown.total) sum += *field;
        }
    }
    // Lepton names the parts; the whole is their sum.
    if (breakdown.total == Clock::duration::zero()) breakdown.total = sum;
    return breakdown;
}

}  // namespace lepton::client
