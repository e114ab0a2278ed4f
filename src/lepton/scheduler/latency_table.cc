#include "lepton/scheduler/latency_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lepton/scheduler/prediction.h"

namespace lepton::scheduler {
namespace {

constexpr double kSizesPerDoubling = 4;

int size_of(std::size_t row_bytes) {
    return static_cast<int>(
        std::lround(kSizesPerDoubling * std::log2(static_cast<double>(row_bytes) + 1)));
}

double bytes_of(int size) { return std::exp2(size / kSizesPerDoubling); }

}  // namespace

LatencyTable::LatencyTable(std::span<const model::ServiceTime> seeds,
                           std::int64_t max_rows,
                           Clock::time_point now,
                           bool sizes_vary) {
    std::vector<model::ServiceTime> times(seeds.begin(), seeds.end());
    const model::ServiceTime largest = times.back();
    const bool open = largest.rows < max_rows;
    // As if batches brought nothing, until runs say what they bring.
    for (std::int64_t rows = 2 * largest.rows; open && rows < 2 * max_rows; rows *= 2) {
        rows = std::min(rows, max_rows);
        times.push_back({rows, repeated(largest.time, rows) / largest.rows});
    }
    const bool guessed = open || sizes_vary;
    entries_.push_back({0,
                        std::make_unique<LatencyModel>(guessed ? LatencyModel::guess(times, now)
                                                               : LatencyModel(times, now))});
    last_ = entries_.front().latency.get();
}

LatencyModel& LatencyTable::of(std::size_t row_bytes, Clock::time_point now) {
    // The logarithm is spared where the last call had the same size, which is the usual case.
    if (known_ && row_bytes == last_bytes_) return *last_;
    const int size = size_of(row_bytes);
    last_bytes_ = row_bytes;
    if (!known_) {
        known_ = true;
        entries_.front().size = size;
    }
    const auto found = std::lower_bound(
        entries_.begin(), entries_.end(), size, [](const Entry& entry, int wanted) {
            return entry.size < wanted;
        });
    last_ = found != entries_.end() && found->size == size ? found->latency.get() : &add(size, now);
    return *last_;
}

const LatencyModel& LatencyTable::like(std::size_t row_bytes) const {
    const auto found = std::lower_bound(
        entries_.begin(), entries_.end(), size_of(row_bytes), [](const Entry& entry, int wanted) {
            return entry.size < wanted;
        });
    return *(found != entries_.end() ? *found : entries_.back()).latency;
}

LatencyModel& LatencyTable::add(int size, Clock::time_point now) {
    const auto larger = std::upper_bound(
        entries_.begin(), entries_.end(), size, [](int wanted, const Entry& entry) {
            return wanted < entry.size;
        });
    const Entry* const below = larger == entries_.begin() ? nullptr : &*std::prev(larger);
    const Entry* const above = larger == entries_.end() ? nullptr : &*larger;
    // There is one entry at least, which is on one side or the other.
    const Entry& like = above != nullptr || below == nullptr ? *larger : *below;
    std::vector<model::ServiceTime> times = like.latency->times();
    if (above != nullptr) {
        // On the line from the size below, or from nothing.
        const double from = below == nullptr ? 0 : bytes_of(below->size);
        const double share = (bytes_of(size) - from) / (bytes_of(above->size) - from);
        for (model::ServiceTime& time : times) {
            const Clock::duration least =
                below == nullptr ? Clock::duration::zero() : below->latency->typical(time.rows);
            time.time = least + scaled(std::max(time.time - least, Clock::duration::zero()), share);
        }
    }
    auto latency = std::make_unique<LatencyModel>(LatencyModel::guess(times, now));
    return *entries_.insert(larger, {size, std::move(latency)})->latency;
}

const LatencyModel& LatencyTable::slowest() const {
    const auto slowest = std::max_element(
        entries_.begin(), entries_.end(), [](const Entry& one, const Entry& other) {
            return one.latency->typical(1) < other.latency->typical(1);
        });
    return *slowest->latency;
}

void LatencyTable::pass_to(Clock::time_point now) {
    for (const Entry& entry : entries_) entry.latency->pass_to(now);
}

}  // namespace lepton::scheduler
