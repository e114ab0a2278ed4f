#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lepton/scheduler/latency_model.h"

namespace lepton::scheduler {

// The latency models of one model, one for each size of its rows: how long a sentence or an image
// takes depends on how long or how large it is. A size is what the inputs of a row hold, four of
// them to each doubling, so that there are few of them whatever clients send, and shapes of about
// the same work share what is learned. A model whose shapes are fixed has one.
//
// Not thread-safe; the owner serialises.
class LatencyTable {
public:
    // `seeds` as for LatencyModel. `max_rows`: most rows of a run; above the seeds' largest where
    // the shapes are known only with the request, so that nothing could be measured before.
    // `sizes_vary`: the warm-up measured a size that it made up, not that of the requests.
    LatencyTable(std::span<const model::ServiceTime> seeds,
                 std::int64_t max_rows,
                 Clock::time_point now,
                 bool sizes_vary = false);

    // Of calls whose rows have that many bytes. A size that comes for the first time begins between
    // the times of its neighbours; beyond the largest with the times of that, below the smallest in
    // proportion: rather too short, because a call that is refused for want of time is not
    // measured. Stays in its place for the table's life.
    [[nodiscard]] LatencyModel& of(std::size_t row_bytes, Clock::time_point now);

    // Of the size that comes nearest from above among those that were looked up, or of the largest.
    [[nodiscard]] const LatencyModel& like(std::size_t row_bytes) const;
    // The model of the calls that were last looked up, or of the seeds.
    [[nodiscard]] const LatencyModel& last() const { return *last_; }
    // The one whose single row takes longest.
    [[nodiscard]] const LatencyModel& slowest() const;
    void pass_to(Clock::time_point now);

private:
    struct Entry {
        int size = 0;
        std::unique_ptr<LatencyModel> latency;
    };
    LatencyModel& add(int size, Clock::time_point now);

    bool known_ = false;          // Whether the first entry has found its size.
    std::vector<Entry> entries_;  // Ascending by size.
    std::size_t last_bytes_ = 0;  // What was looked up last.
    LatencyModel* last_;
};

}  // namespace lepton::scheduler
