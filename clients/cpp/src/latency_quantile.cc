#include "latency_quantile.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lepton::client {
namespace {

constexpr int kFirstOctave = 10;  // 2^10 ns.
constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

LatencyQuantile::LatencyQuantile(double quantile, std::uint64_t min_samples)
    : quantile_(quantile), min_samples_(std::max<std::uint64_t>(1, min_samples)) {}

std::size_t LatencyQuantile::bucket_of(Clock::duration latency) {
    constexpr std::int64_t kLowest = std::int64_t{1} << kFirstOctave;
    constexpr std::int64_t kHighest = (std::int64_t{1} << (kFirstOctave + kOctaves)) - 1;
    const auto ns = static_cast<std::uint64_t>(
        std::clamp(std::chrono::nanoseconds(latency).count(), kLowest, kHighest));
    const int octave = static_cast<int>(std::bit_width(ns)) - 1;
    const std::uint64_t part = ns >> (octave - 3) & (kParts - 1);
    return static_cast<std::size_t>(octave - kFirstOctave) * kParts + part;
}

std::int64_t LatencyQuantile::upper_edge_ns(std::size_t bucket) {
    const int octave = kFirstOctave + static_cast<int>(bucket / kParts);
    const auto part = static_cast<std::int64_t>(bucket % kParts);
    return (kParts + part + 1) << (octave - 3);
}

void LatencyQuantile::record(Clock::duration latency) {
    counts_[bucket_of(latency)].fetch_add(1, kRelaxed);
    const std::uint64_t recorded = recorded_.fetch_add(1, kRelaxed) + 1;
    if (recorded % kRefreshEvery == 0 || recorded == min_samples_) refresh();
    // The first halving leaves kFull / 2, so that each later one comes after as many again.
    if (recorded >= kFull && recorded % (kFull / 2) == 0) fade();
}

void LatencyQuantile::refresh() {
    std::uint64_t total = 0;
    for (const auto& count : counts_) total += count.load(kRelaxed);
    const auto rank = static_cast<std::uint64_t>(std::ceil(quantile_ * static_cast<double>(total)));
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        below += counts_[bucket].load(kRelaxed);
        if (below < rank) continue;
        value_ns_.store(upper_edge_ns(bucket), kRelaxed);
        return;
    }
}

void LatencyQuantile::fade() {
    for (auto& count : counts_) {
        // Not a subtraction from the value read above: another thread may halve the count
        // meanwhile.
        std::uint32_t held = count.load(kRelaxed);
        while (held != 0 && !count.compare_exchange_weak(held, held - held / 2, kRelaxed)) {
        }
    }
}

std::optional<Clock::duration> LatencyQuantile::value() const {
    if (recorded_.load(kRelaxed) < min_samples_) return std::nullopt;
    const std::int64_t ns = value_ns_.load(kRelaxed);
    if (ns == 0) return std::nullopt;  // Another thread is about to store the first value.
    return std::chrono::nanoseconds(ns);
}

}  // namespace lepton::client
