#include "lepton/scheduler/latency_model.h"

#include <algorithm>
#include <utility>

#include "lepton/scheduler/prediction.h"

namespace lepton::scheduler {
namespace {

constexpr int kTypicalWeight = 8;  // A run moves the typical time by 1/8 of the difference.
// What a seed is multiplied by until the window has something to say: the warm-up runs alone.
constexpr double kSeedMargin = 1.1;
// A smaller run is preferred where it saves at least 3 % per row.
constexpr double kWorthless = 0.97;
constexpr int kFactorFalls = 16;
constexpr int kLowestRises = 64;  // By 1/64 of the difference every kConfidence.
// A run this many times as slow as usual says more about the machine than about the model: its
// thread had no processor. Such runs count once they are more than two of about sixteen.
constexpr int kInterrupted = 5;
constexpr int kInterruptionWeight = 8;
constexpr int kFewInterruptions = 2 * kInterruptionWeight;
constexpr std::size_t kKnown = 8;  // Runs after which it is known what is usual.

double per_row(Clock::duration time, std::int64_t rows) {
    return static_cast<double>(time.count()) / static_cast<double>(rows);
}

// Of at most `most` rows each, one at least. Without a division where one suffices, as it mostly
// does.
std::int64_t runs_of(std::int64_t most, std::int64_t rows) {
    return rows <= most ? 1 : (rows - 1) / most + 1;
}

struct Slowest {
    Clock::duration first{};
    Clock::duration second{};  // A single run is its own second.
};

Slowest slowest_of(std::span<const Clock::duration> runs) {
    Slowest slowest;
    for (const Clock::duration run : runs) {
        if (run > slowest.first) {
            slowest.second = std::exchange(slowest.first, run);
        } else if (run > slowest.second) {
            slowest.second = run;
        }
    }
    if (runs.size() == 1) slowest.second = slowest.first;
    return slowest;
}

}  // namespace

LatencyModel::LatencyModel(std::span<const model::ServiceTime> seeds, Clock::time_point now)
    : passed_to_(now) {
    buckets_.reserve(seeds.size());
    Clock::duration before{};
    for (const model::ServiceTime& seed : seeds) {
        before = std::max(seed.time, before);
        Bucket bucket;
        bucket.rows = seed.rows;
        bucket.typical = bucket.lowest = before;
        bucket.safe = scaled(before, kSeedMargin);
        bucket.confirmed = now;
        buckets_.push_back(bucket);
    }
}

LatencyModel LatencyModel::guess(std::span<const model::ServiceTime> seeds, Clock::time_point now) {
    LatencyModel guessed(seeds, now);
    for (Bucket& bucket : guessed.buckets_) {
        bucket.safe = bucket.typical;
        bucket.guessed = true;
    }
    return guessed;
}

void LatencyModel::doubt(std::int64_t rows) {
    const Bucket& doubted = bucket_of(rows);
    if (!doubted.guessed) return;
    const Clock::duration half = doubted.safe / 2;
    Clock::duration known{};  // More rows never take less.
    for (Bucket& bucket : buckets_) {
        if (bucket.rows > doubted.rows) break;
        if (bucket.guessed) {
            bucket.typical = bucket.safe = std::max(known, std::min(bucket.safe, half));
            bucket.lowest = bucket.typical;
        }
        known = bucket.typical;
    }
}

bool LatencyModel::may_try(std::int64_t rows, Clock::duration left, Clock::time_point now) {
    Bucket& bucket = bucket_of(rows);
    if (rows <= bucket.rows || safe(rows) / kMaxError > left) return false;
    if (bucket.tried && now - *bucket.tried < kTriedEvery) return false;
    bucket.tried = now;
    return true;
}

const LatencyModel::Bucket& LatencyModel::bucket_of(std::int64_t rows) const {
    const auto found = std::find_if(buckets_.begin(), buckets_.end(), [rows](const Bucket& bucket) {
        return bucket.rows >= rows;
    });
    return found == buckets_.end() ? buckets_.back() : *found;
}

LatencyModel::Bucket& LatencyModel::bucket_of(std::int64_t rows) {
    return const_cast<Bucket&>(std::as_const(*this).bucket_of(rows));
}

double LatencyModel::factor(int active) const {
    return interference_[static_cast<std::size_t>(std::clamp(active, 1, kMostActive) - 1)].factor;
}

Clock::duration LatencyModel::typical(std::int64_t rows, int active) const {
    const Bucket& bucket = bucket_of(rows);
    const std::int64_t runs = runs_of(bucket.rows, rows);
    return repeated(active > 1 ? scaled(bucket.typical, factor(active)) : bucket.typical, runs);
}

Clock::duration LatencyModel::safe(std::int64_t rows, int active) const {
    const Bucket& bucket = bucket_of(rows);
    const std::int64_t runs = runs_of(bucket.rows, rows);
    return repeated(active > 1 ? scaled(bucket.safe, factor(active)) : bucket.safe, runs);
}

bool LatencyModel::was_interrupted(Bucket& bucket, Clock::duration took) {
    if (bucket.measured < kKnown || took <= bucket.typical * kInterrupted) {
        bucket.interruptions = std::max(0, bucket.interruptions - 1);
        return false;
    }
    bucket.interruptions =
        std::min(bucket.interruptions + kInterruptionWeight, kFewInterruptions + 1);
    return bucket.interruptions <= kFewInterruptions;
}

void LatencyModel::observe(std::int64_t rows,
                           Clock::duration took,
                           Clock::time_point now,
                           int active) {
    Bucket& bucket = bucket_of(rows);
    if (rows > bucket.rows) return;  // Ran in pieces: says nothing about one run.
    bucket.tried = now;
    if (active > 1) {
        Interference& others =
            interference_[static_cast<std::size_t>(std::min(active, kMostActive) - 1)];
        const double seen = static_cast<double>(took.count()) /
                            static_cast<double>(std::max<Clock::rep>(1, bucket.typical.count()));
        others.factor += (seen - others.factor) / (seen > others.factor ? 2 : kFactorFalls);
        // Even where they take each other's processor and cache.
        others.factor = std::clamp(others.factor, 1.0, 2.0 * active);
        others.confirmed = now;
        return;
    }
    if (was_interrupted(bucket, took)) {
        bucket.confirmed = now;
        return;
    }
    bucket.window[bucket.measured++ % kWindow] = took;
    const std::span<const Clock::duration> runs(bucket.window.data(),
                                                std::min(bucket.measured, kWindow));
    const Slowest slow = slowest_of(runs);
    // Held to what is usual: an interruption says nothing about the next run.
    const Clock::duration counted = std::min(took, slow.second);
    bucket.typical += (counted - bucket.typical) / (bucket.guessed ? 1 : kTypicalWeight);
    bucket.lowest = bucket.guessed ? bucket.typical : std::min(bucket.lowest, bucket.typical);
    bucket.guessed = false;
    const Clock::duration spread = std::max(slow.second - bucket.typical, Clock::duration::zero());
    bucket.safe =
        std::max(slow.second, bucket.typical) + std::min(slow.first - slow.second, spread);
    bucket.confirmed = now;
    // Isotonic, also where the others were measured long ago.
    for (Bucket& other : buckets_) {
        if (other.rows > bucket.rows) {
            other.typical = std::max(other.typical, bucket.typical);
            other.safe = std::max(other.safe, bucket.safe);
        } else if (other.rows < bucket.rows) {
            other.typical = std::min(other.typical, bucket.typical);
            other.safe = std::min(other.safe, bucket.safe);
        }
    }
}

void LatencyModel::pass_to(Clock::time_point now) {
    if (now < passed_to_ + kConfidence) return;
    passed_to_ = now;
    for (Interference& others : interference_) {
        if (now - others.confirmed >= kConfidence) others.factor = 1 + (others.factor - 1) / 2;
    }
    const auto latest = std::max_element(
        buckets_.begin(), buckets_.end(), [](const Bucket& one, const Bucket& other) {
            return one.confirmed < other.confirmed;
        });
    // How much slower the machine is now than at its best, where that is known.
    double slower = 1;
    if (now - latest->confirmed < kConfidence && latest->lowest > Clock::duration::zero()) {
        slower = static_cast<double>(latest->typical.count()) /
                 static_cast<double>(latest->lowest.count());
    }
    Clock::duration floor{};
    for (Bucket& bucket : buckets_) {
        if (now - bucket.confirmed >= kConfidence) {
            const Clock::duration expected = std::max(scaled(bucket.lowest, slower), floor);
            bucket.typical = std::max(expected, bucket.typical - (bucket.typical - expected) / 2);
            bucket.safe = std::max(expected, bucket.safe - (bucket.safe - expected) / 2);
            bucket.measured = 0;
        } else {
            bucket.lowest += (bucket.typical - bucket.lowest) / kLowestRises;
        }
        floor = bucket.typical;
    }
}

std::vector<model::ServiceTime> LatencyModel::times() const {
    std::vector<model::ServiceTime> times;
    times.reserve(buckets_.size());
    for (const Bucket& bucket : buckets_) times.push_back({bucket.rows, bucket.typical});
    return times;
}

std::int64_t LatencyModel::rows_within(Clock::duration budget,
                                       std::int64_t most,
                                       int active) const {
    std::int64_t rows = 0;
    for (const Bucket& bucket : buckets_) {
        if (safe(bucket.rows, active) > budget) return rows;
        rows = std::min(bucket.rows, most);
        if (bucket.rows >= most) return rows;
    }
    // More than one run holds: several of the largest, one after the other.
    const Clock::duration largest = safe(max_rows(), active);
    if (largest <= Clock::duration::zero()) return most;
    const std::int64_t runs = budget / largest;
    return runs >= runs_of(max_rows(), most) ? most : runs * max_rows();
}

std::int64_t LatencyModel::efficient_rows(std::int64_t rows) const {
    std::int64_t best = rows;
    double cost = per_row(typical(rows), rows);
    for (const Bucket& bucket : buckets_) {
        if (bucket.rows >= rows) break;
        // From few to many: the larger of two that cost the same.
        if (const double other = per_row(bucket.typical, bucket.rows);
            other < cost * (best == rows ? kWorthless : 1.0)) {
            best = bucket.rows;
            cost = other;
        }
    }
    return best;
}

double LatencyModel::capacity() const {
    double best = 0;
    for (const Bucket& bucket : buckets_) {
        const double seconds = std::chrono::duration<double>(bucket.typical).count();
        best = std::max(best, static_cast<double>(bucket.rows) / std::max(seconds, 1e-9));
    }
    return best;
}

}  // namespace lepton::scheduler
