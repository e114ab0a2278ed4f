#include "retry_budget.h"

#include <algorithm>
#include <cmath>

namespace lepton::client {

RetryBudget::RetryBudget(Options options)
    : per_call_(std::llround(std::max(0.0, options.tokens_per_call) * kToken)),
      most_(std::llround(std::max(0.0, options.most_tokens) * kToken)),
      milli_tokens_(most_) {}

void RetryBudget::on_call() {
    // While nothing fails the bucket is full, and a call costs only this load.
    std::int64_t held = milli_tokens_.load(std::memory_order_relaxed);
    while (held < most_ &&
           !milli_tokens_.compare_exchange_weak(
               held, std::min(most_, held + per_call_), std::memory_order_relaxed)) {
    }
}

bool RetryBudget::try_spend() {
    std::int64_t held = milli_tokens_.load(std::memory_order_relaxed);
    do {
        if (held < kToken) return false;
    } while (!milli_tokens_.compare_exchange_weak(held, held - kToken, std::memory_order_relaxed));
    return true;
}

double RetryBudget::tokens() const {
    return static_cast<double>(milli_tokens_.load(std::memory_order_relaxed)) / kToken;
}

}  // namespace lepton::client
