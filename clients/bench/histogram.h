#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace lepton::bench {

// Counts durations in nanoseconds, each within 0.1 % of its value, in fixed memory: recording never
// allocates. The buckets are those of HdrHistogram (http://hdrhistogram.org) at three significant
// digits and a minimum value of 1: linear within each power of two, 1024 to a half. All histograms
// have the same buckets, so that they add up. Not thread-safe; the owner serializes.
class Histogram {
public:
    Histogram() : counts_(kBuckets) {}

    void record(std::uint64_t nanoseconds) {
        ++counts_[bucket_of(nanoseconds)];
        ++total_;
        sum_ += nanoseconds;
        if (nanoseconds > max_) max_ = nanoseconds;
    }
    void merge(const Histogram& other);
    void clear();

    [[nodiscard]] std::uint64_t count() const { return total_; }
    [[nodiscard]] std::uint64_t max() const { return max_; }
    [[nodiscard]] double mean() const;  // 0 if nothing was recorded.
    // Returns the smallest recorded value, within the precision, that `fraction` of all do not
    // exceed.
    [[nodiscard]] std::uint64_t quantile(double fraction) const;

    // Calls `visit` with the highest value and the count of each bucket that is not empty,
    // ascending.
    void each(const std::function<void(std::uint64_t highest, std::uint64_t count)>& visit) const;

private:
    static constexpr int kPrecisionBits = 10;
    static constexpr std::uint64_t kLinear = 1U << kPrecisionBits;
    static constexpr int kOctaves = 32;  // Up to more than an hour.
    static constexpr std::size_t kBuckets = (kOctaves + 1) * kLinear;

    static std::size_t bucket_of(std::uint64_t value) {
        if (value < kLinear) return value;
        const int octave = static_cast<int>(std::bit_width(value)) - kPrecisionBits;  // >= 1
        if (octave > kOctaves) return kBuckets - 1;
        return static_cast<std::size_t>(octave) * kLinear + ((value >> (octave - 1)) - kLinear);
    }
    static std::uint64_t highest_of(std::size_t bucket);

    std::vector<std::uint64_t> counts_;
    std::uint64_t total_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace lepton::bench
