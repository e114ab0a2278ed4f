#include "sim/mixes.h"

namespace lepton::sim {
namespace {

using namespace std::chrono_literals;

const ServiceCurve& slow_curve() { return measured_curves()[0]; }

ServiceCurve quick_curve() {
    return {.name = "quick",
            .times = {{1, 2ms}, {2, 3800us}, {4, 7400us}, {8, 14400us}, {16, 28ms}}};
}

// As many calls as keep the model busy until about `until`, with or without the others.
std::vector<Arrival> backlog(Clock::duration until, std::uint64_t seed) {
    const double rate = 2 * slow_curve().capacity();
    const auto count =
        static_cast<std::size_t>(rate * std::chrono::duration<double>(until).count());
    auto arrivals = make_arrivals(Pattern::kPoisson, rate, count, slow_curve().single(), seed);
    for (Arrival& arrival : arrivals) arrival.timeout = {};
    return arrivals;
}

}  // namespace

Mix quick_and_slow(int cores, Pattern pattern, std::uint64_t seed) {
    MixedModel quick{.curve = quick_curve(),
                     .arrivals = make_arrivals(pattern, 60, 1200, 2ms, seed)};
    for (Arrival& arrival : quick.arrivals) arrival.timeout = 25ms;
    MixedModel slow{.curve = slow_curve(), .arrivals = backlog(quick.arrivals.back().at, seed + 1)};
    slow.instances = cores;
    slow.queue.max_queued_requests = 256;
    return {.name = "two models", .models = {quick, slow}, .cores = cores, .seed = seed};
}

Mix all_saturated(int cores, const std::vector<double>& weights, std::uint64_t seed) {
    Mix mix{.name = "saturated models", .models = {}, .cores = cores, .seed = seed};
    for (const double weight : weights) {
        MixedModel model{.curve = slow_curve(), .arrivals = backlog(60s, seed + mix.models.size())};
        model.queue.weight = weight;
        model.queue.max_queued_requests = 64;
        model.instances = cores;
        mix.models.push_back(std::move(model));
    }
    return mix;
}

Mix all_with_deadlines(int cores, int models, double load, Pattern pattern, std::uint64_t seed) {
    Mix mix{.name = "four models", .models = {}, .cores = cores, .seed = seed};
    for (int i = 0; i < models; ++i) {
        const ServiceCurve& curve = measured_curves()[static_cast<std::size_t>(i) % 2];
        const double rate = load * curve.capacity() * cores / models;
        const auto count = static_cast<std::size_t>(rate * 60);
        MixedModel model{
            .curve = curve,
            .arrivals = make_arrivals(
                pattern, rate, count, curve.single(), seed + static_cast<std::uint64_t>(i))};
        model.instances = cores;
        mix.models.push_back(std::move(model));
    }
    return mix;
}

}  // namespace lepton::sim
