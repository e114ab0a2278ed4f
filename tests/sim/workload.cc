#include "sim/workload.h"

#include <algorithm>
#include <array>
#include <random>

namespace lepton::sim {
namespace {

Clock::duration in_clock(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// `relative`: the cost of a row in a run of 1, 2, 4, 8 and 16, in single-row times.
ServiceCurve curve(std::string name, double single_ms, std::array<double, 5> relative) {
    ServiceCurve made{.name = std::move(name), .times = {}};
    std::int64_t rows = 1;
    for (const double cost : relative) {
        made.times.push_back({rows, in_clock(single_ms * 1e-3 * static_cast<double>(rows) * cost)});
        rows *= 2;
    }
    return made;
}

}  // namespace

Clock::duration ServiceCurve::of(std::int64_t rows) const {
    const auto found = std::find_if(
        times.begin(), times.end(), [rows](const auto& known) { return known.rows >= rows; });
    if (found != times.end()) return found->time;
    return times.back().time * ((rows + times.back().rows - 1) / times.back().rows);
}

double ServiceCurve::capacity() const {
    double best = 0;
    for (const model::ServiceTime& known : times) {
        best = std::max(
            best,
            static_cast<double>(known.rows) / std::chrono::duration<double>(known.time).count());
    }
    return best;
}

const std::vector<ServiceCurve>& measured_curves() {
    static const std::vector<ServiceCurve> curves{
        curve("transformer, 64 tokens", 14.3, {1, 0.96, 0.93, 0.93, 0.95}),
        curve("transformer, 16 tokens", 4.3, {1, 0.93, 0.84, 0.81, 0.79}),
        curve("strong batching", 4.3, {1, 0.55, 0.325, 0.21, 0.15}),
        curve("transformer, 16 tokens, AVX-512", 2.64, {1, 0.816, 0.707, 0.66, 0.62}),
    };
    return curves;
}

std::vector<Arrival> make_arrivals(const bench::Arrivals::Options& due,
                                   std::size_t count,
                                   Clock::duration single) {
    constexpr std::array<int, 3> kTimeouts{6, 14, 36};
    std::mt19937_64 random(~due.seed);  // Others than the times are drawn from.
    std::uniform_int_distribution<std::size_t> timeout(0, kTimeouts.size() - 1);
    bench::Arrivals times(due);
    std::vector<Arrival> arrivals;
    arrivals.reserve(count);
    while (arrivals.size() < count) {
        const auto next = times.next();
        if (!next) break;
        arrivals.push_back({.at = next->at, .timeout = single * kTimeouts[timeout(random)]});
    }
    return arrivals;
}

std::vector<Arrival> make_arrivals(
    Pattern pattern, double rate, std::size_t count, Clock::duration single, std::uint64_t seed) {
    return make_arrivals(
        {.pattern = pattern, .rate = rate, .seed = seed, .burst_lasts = 100 * single, .trace = {}},
        count,
        single);
}

}  // namespace lepton::sim
