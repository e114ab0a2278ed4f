#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "lepton/core/clock.h"

namespace lepton::client {

// One quantile of the latencies that a client sees, kept up to date while it runs. Old ones fade:
// whenever the histogram holds `kFull` of them, all its counts are halved. Memory is fixed and
// small; record() is two atomic additions, and every 64th also walks over the buckets.
//
//   bucket   0 ... 7 | 8 ... 15 | 16 ...           each octave of nanoseconds in eight parts, so
//   from    1 us     | 2 us     | 4 us             that the answer is at most 12.5 % too high
//
// Thread-safe.
class LatencyQuantile {
public:
    static constexpr std::uint32_t kFull = 4096;

    // Precondition: 0 < quantile < 1. Nothing is known before `min_samples` were recorded.
    LatencyQuantile(double quantile, std::uint64_t min_samples);

    void record(Clock::duration latency);

    // Returns the upper edge of the quantile's bucket; empty while too little is known.
    [[nodiscard]] std::optional<Clock::duration> value() const;

private:
    static constexpr int kOctaves =
        26;  // 1.024 us to 68.7 s; what lies outside counts as the edge.
    static constexpr int kParts = 8;
    static constexpr std::size_t kBuckets = std::size_t{kOctaves} * kParts;
    static constexpr std::uint64_t kRefreshEvery = 64;

    static std::size_t bucket_of(Clock::duration latency);
    static std::int64_t upper_edge_ns(std::size_t bucket);
    void refresh();
    void fade();

    double quantile_;
    std::uint64_t min_samples_;
    // All relaxed: a quantile that misses what other threads add meanwhile is as good.
    std::array<std::atomic<std::uint32_t>, kBuckets> counts_{};
    std::atomic<std::uint64_t> recorded_{0};
    std::atomic<std::int64_t> value_ns_{0};
};

}  // namespace lepton::client
