#include "histogram.h"

#include <algorithm>
#include <cmath>

namespace lepton::bench {

void Histogram::clear() {
    std::fill(counts_.begin(), counts_.end(), 0);
    total_ = 0;
    sum_ = 0;
    max_ = 0;
}

void Histogram::merge(const Histogram& other) {
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        counts_[bucket] += other.counts_[bucket];
    }
    total_ += other.total_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
}

double Histogram::mean() const {
    return total_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(total_);
}

std::uint64_t Histogram::quantile(double fraction) const {
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(total_)));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
        seen += counts_[bucket];
        if (seen >= wanted && seen > 0) return std::min(highest_of(bucket), max_);
    }
    return max_;
}

void Histogram::each(
    const std::function<void(std::uint64_t highest, std::uint64_t count)>& visit) const {
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        if (counts_[bucket] > 0) visit(highest_of(bucket), counts_[bucket]);
    }
}

std::uint64_t Histogram::highest_of(std::size_t bucket) {
    if (bucket < kLinear) return bucket;
    const std::size_t octave = bucket / kLinear;
    const std::uint64_t offset = bucket % kLinear;
    return ((kLinear + offset + 1) << (octave - 1)) - 1;
}

}  // namespace lepton::bench
