#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lepton/core/clock.h"

namespace lepton::observe {

// Counts values in fixed buckets, which are the same for every histogram of a kind, so that those
// of many servers add up. Thread-safe, without a lock; a reader may see a value's count before its
// sum.
template <std::size_t kBounds>
class Histogram {
public:
    struct Snapshot {
        std::array<std::uint64_t, kBounds + 1> buckets{};  // Not cumulative; the last is +Inf.
        std::uint64_t count = 0;
        std::int64_t sum = 0;
    };

    // `bounds` are ascending and inclusive, in static storage.
    explicit Histogram(std::span<const std::int64_t, kBounds> bounds) : bounds_(bounds) {}

    void observe(std::int64_t value) {
        std::size_t bucket = 0;
        while (bucket < kBounds && value > bounds_[bucket]) ++bucket;
        // Relaxed: each counter stands for itself.
        buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
        sum_.fetch_add(value, std::memory_order_relaxed);
    }

    [[nodiscard]] std::span<const std::int64_t, kBounds> bounds() const { return bounds_; }
    [[nodiscard]] Snapshot snapshot() const {
        Snapshot snapshot;
        for (std::size_t i = 0; i <= kBounds; ++i) {
            snapshot.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
            snapshot.count += snapshot.buckets[i];
        }
        snapshot.sum = sum_.load(std::memory_order_relaxed);
        return snapshot;
    }

private:
    std::span<const std::int64_t, kBounds> bounds_;
    std::array<std::atomic<std::uint64_t>, kBounds + 1> buckets_{};
    std::atomic<std::int64_t> sum_{0};
};

// In nanoseconds, in steps of 1-2-5 from 10 us to 10 s.
inline constexpr std::array<std::int64_t, 19> kDurationBounds{10'000,
                                                              20'000,
                                                              50'000,
                                                              100'000,
                                                              200'000,
                                                              500'000,
                                                              1'000'000,
                                                              2'000'000,
                                                              5'000'000,
                                                              10'000'000,
                                                              20'000'000,
                                                              50'000'000,
                                                              100'000'000,
                                                              200'000'000,
                                                              500'000'000,
                                                              1'000'000'000,
                                                              2'000'000'000,
                                                              5'000'000'000,
                                                              10'000'000'000};
inline constexpr std::array<std::int64_t, 8> kRowBounds{1, 2, 4, 8, 16, 32, 64, 128};
inline constexpr std::array<std::int64_t, 8> kPercentBounds{1, 2, 5, 10, 20, 50, 100, 200};

class DurationHistogram : public Histogram<kDurationBounds.size()> {
public:
    DurationHistogram() : Histogram(kDurationBounds) {}
    void observe(Clock::duration value) {
        Histogram::observe(std::chrono::duration_cast<std::chrono::nanoseconds>(value).count());
    }
};

class PercentHistogram : public Histogram<kPercentBounds.size()> {
public:
    PercentHistogram() : Histogram(kPercentBounds) {}
};

class RowHistogram : public Histogram<kRowBounds.size()> {
public:
    RowHistogram() : Histogram(kRowBounds) {}
};

}  // namespace lepton::observe
