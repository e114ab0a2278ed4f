#include "arrivals.h"

#include <array>
#include <utility>

namespace lepton::bench {
namespace {

constexpr std::array<std::pair<std::string_view, Pattern>, 4> kNames{
    {{"poisson", Pattern::kPoisson},
     {"uniform", Pattern::kUniform},
     {"bursty", Pattern::kBursty},
     {"replay", Pattern::kReplay}}};

// The same value as in the simulation of the scheduler (docs/concepts/scheduling.md).
constexpr double kBurst = 1.75;
constexpr double kLull = 0.25;

std::chrono::nanoseconds in_nanoseconds(double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
}

}  // namespace

std::string_view to_string(Pattern pattern) {
    for (const auto& [name, known] : kNames) {
        if (known == pattern) return name;
    }
    return {};
}

std::optional<Pattern> parse_pattern(std::string_view name) {
    for (const auto& [known, pattern] : kNames) {
        if (known == name) return pattern;
    }
    return std::nullopt;
}

Arrivals::Arrivals(Options options) : options_(std::move(options)), random_(options_.seed) {
    const std::vector<TraceEntry>& trace = options_.trace;
    if (trace.empty() || options_.rate <= 0) return;
    const double length = std::chrono::duration<double>(trace.back().at).count();
    stretch_ = length * options_.rate > 0
                   ? static_cast<double>(trace.size()) / (length * options_.rate)
                   : 1;
}

std::optional<Arrivals::Arrival> Arrivals::next() {
    switch (options_.pattern) {
        case Pattern::kPoisson:
            now_ += exponential_(random_) / options_.rate;
            break;
        case Pattern::kUniform:
            now_ += 1 / options_.rate;
            break;
        case Pattern::kBursty:
            now_ = next_bursty();
            break;
        case Pattern::kReplay:
            return next_replayed();
    }
    return Arrival{in_nanoseconds(now_), nullptr};
}

double Arrivals::next_bursty() {
    const double lasts = std::chrono::duration<double>(options_.burst_lasts).count();
    double need = exponential_(random_);
    double now = now_;
    while (true) {
        if (now >= changes_) {
            burst_ = !burst_;
            changes_ = now + exponential_(random_) * lasts;
        }
        const double rate = options_.rate * (burst_ ? kBurst : kLull);
        if ((changes_ - now) * rate >= need) return now + need / rate;
        need -= (changes_ - now) * rate;
        now = changes_;
    }
}

std::optional<Arrivals::Arrival> Arrivals::next_replayed() {
    if (replayed_ == options_.trace.size()) return std::nullopt;
    const TraceEntry& entry = options_.trace[replayed_++];
    const double at = std::chrono::duration<double>(entry.at).count() * stretch_;
    return Arrival{in_nanoseconds(at), entry.load_class.empty() ? nullptr : &entry.load_class};
}

}  // namespace lepton::bench
