#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/model/loaded_model.h"

namespace lepton::scheduler {

// How long a run of one model and shape class will take, by its rows and by how many instances run
// at the same time. Begins with what the warm-up measured and learns from every run:
//
// - `safe` is the slowest of the last kWindow runs of that row count, as long as it is not farther
//   beyond the second slowest than that is beyond the typical one: so it rises with the second slow
//   run (one alone is mostly an interruption by something else) and falls once the slow runs have
//   left the window. A few runs that are many times as slow as usual are left out: one of a second
//   would refuse everything for a while.
// - An estimate that nothing confirms any more goes, within a few kConfidence, to the lowest that
//   was measured, times what the machine is slower now than at its best: requests are refused by
//   it, and what is refused is not measured again. What was best is forgotten, by half in half a
//   minute of runs: one row count that has become slow says less and less about the others, so that
//   they are tried again.
// - More rows never take less (isotonic).
//
// Not thread-safe; the owner serialises.
class LatencyModel {
public:
    // `seeds`: ascending by rows, not empty, as the warm-up measured them.
    explicit LatencyModel(std::span<const model::ServiceTime> seeds,
                          Clock::time_point now = Clock::now());
    // Nobody measured the seeds: the first run of each row count replaces it.
    static LatencyModel guess(std::span<const model::ServiceTime> seeds, Clock::time_point now);

    // For rows beyond the largest known count: as many whole runs of it as needed. `active`: how
    // many instances will be running, this one included.
    [[nodiscard]] Clock::duration typical(std::int64_t rows, int active = 1) const;
    [[nodiscard]] Clock::duration safe(std::int64_t rows, int active = 1) const;

    void observe(std::int64_t rows, Clock::duration took, Clock::time_point now, int active = 1);
    // A call of that many rows was refused for what it would take, and so is not measured. If
    // nobody ever measured it, half of that is expected from then on: a guess must not refuse for
    // ever.
    void doubt(std::int64_t rows);
    // Whether a call of that many rows, which needs several runs, is worth a try although it would
    // take more than what is `left`: where no such run was measured or tried for kTriedEvery, and
    // it could be in time if the estimate were kMaxError times too much.
    bool may_try(std::int64_t rows, Clock::duration left, Clock::time_point now);
    // Lets unconfirmed estimates fall, and the best of confirmed ones rise; cheap, to be called
    // before a decision.
    void pass_to(Clock::time_point now);

    // The typical times as they are now: what another model begins with.
    [[nodiscard]] std::vector<model::ServiceTime> times() const;

    // Most rows of one run.
    [[nodiscard]] std::int64_t max_rows() const { return buckets_.back().rows; }
    // The largest count of rows, at most `most`, that is sure to be done within `budget`; 0: none.
    [[nodiscard]] std::int64_t rows_within(Clock::duration budget,
                                           std::int64_t most,
                                           int active = 1) const;
    // At most `rows`: fewer where that costs clearly less per row, as where a run of 5 rows is
    // padded to one of 16.
    [[nodiscard]] std::int64_t efficient_rows(std::int64_t rows) const;
    // Rows per second at the most efficient row count.
    [[nodiscard]] double capacity() const;

private:
    static constexpr std::size_t kWindow = 32;
    static constexpr Clock::duration kConfidence = std::chrono::milliseconds(500);
    static constexpr Clock::duration kTriedEvery = std::chrono::seconds(10);
    static constexpr int kMaxError = 4;
    static constexpr int kMostActive = 8;  // Beyond, the factor of the last counts.

    // Runs of one prepared row count. Times are of a run with no other instance running.
    struct Bucket {
        std::int64_t rows = 1;
        Clock::duration typical{};
        Clock::duration safe{};
        Clock::duration lowest{};  // Typical at its lowest, of late.
        Clock::time_point confirmed;
        std::optional<Clock::time_point> tried;  // Or run; not since the seeds were measured.
        std::array<Clock::duration, kWindow> window{};
        std::size_t measured = 0;
        bool guessed = false;
        int interruptions = 0;  // Leaks away with each run that was not interrupted.
    };

    // How many times as long runs take beside others.
    struct Interference {
        double factor = 1;
        Clock::time_point confirmed;
    };

    [[nodiscard]] const Bucket& bucket_of(std::int64_t rows) const;
    Bucket& bucket_of(std::int64_t rows);
    [[nodiscard]] double factor(int active) const;
    static bool was_interrupted(Bucket& bucket, Clock::duration took);

    std::vector<Bucket> buckets_;                         // Ascending by rows.
    std::array<Interference, kMostActive> interference_;  // By instances that run, less one.
    Clock::time_point passed_to_;
};

}  // namespace lepton::scheduler
