#include "hedge_policy.h"

#include <algorithm>

namespace lepton::client {
namespace {

// Large enough that the slowest calls of a busy moment are not refused for coming close together.
constexpr double kBurst = 5;

}  // namespace

HedgePolicy::HedgePolicy(Options options)
    : options_(options),
      latency_(std::clamp(options.quantile, 0.001, 0.999), options.min_samples),
      budget_({.tokens_per_call = options.extra_load, .most_tokens = kBurst}) {}

std::optional<Clock::duration> HedgePolicy::delay(bool has_other_endpoint) {
    if (!options_.enabled) return std::nullopt;
    budget_.on_call();
    if (!has_other_endpoint && !options_.same_endpoint) return std::nullopt;
    const std::optional<Clock::duration> slow = latency_.value();
    if (!slow) return std::nullopt;
    return std::max(*slow, options_.min_delay);
}

void HedgePolicy::record(Clock::duration first_attempt) {
    if (options_.enabled) latency_.record(first_attempt);
}

}  // namespace lepton::client
