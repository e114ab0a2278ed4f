#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/scheduler/call_queue.h"

namespace lepton::scheduler {

// Looks ahead: plays a queue through, batch after batch, as the latency model says that it would
// go, and says which calls would be answered in time. Several plays are compared, each with
// another smallest batch that is thought worth running: small ones save the call whose deadline is
// next, large ones get more done, and which of the two answers more calls in time depends on the
// queue. The score is calls in time, less the price of the machine's time:
//
//     score = served - price * length
//
// With a price of 0 the first call is protected, which is right while there is time to spare; with
// the price of a busy machine, rows per second, a small batch is not worth its time any more, which
// is what keeps an overloaded server from running one late call after the other.
//
// Not thread-safe; the owner serialises. Keeps its memory from plan to plan.
class BatchPlanner {
public:
    // A plan looks at this many calls; what is behind them is too far away to matter.
    static constexpr std::size_t kHorizon = 128;

    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    struct Options {
        std::int64_t max_rows = 1;
        // How much longer an instance is taken up by a run than the run takes, because others have
        // the cores before the next one.
        double stretch = 1;
        double price = 0;  // Rows per second of machine time.
        // Each second that a call would wait must leave this much more before its deadline: what is
        // predicted is the less certain the farther away it is.
        double margin = 0;
        // With `protect`, a plan must serve every call that is at least as important as
        // `protected_priority`, except the one at place `candidate`.
        bool protect = false;
        std::uint32_t protected_priority = static_cast<std::uint32_t>(-1);
        std::size_t candidate = kNone;
    };

    struct Plan {
        double score = 0;
        Clock::duration length{};              // Machine time of all batches.
        std::vector<std::size_t> first_batch;  // Places in the queue, ascending.
        std::vector<std::size_t> late;         // Calls that no batch of the plan takes, ascending.
    };

    // The plan with the best score, null when none serves what it must. `free_at`: when each
    // instance will be idle. The plan is valid until the next call.
    const Plan* best(std::span<const QueuedCall> queue,
                     std::span<const Clock::time_point> free_at,
                     Clock::time_point now,
                     const Options& options);

private:
    struct Play;

    Plan plan_;
    Plan best_;
    std::vector<Clock::time_point> free_at_;
    std::vector<unsigned char> settled_;  // By place: in a batch, or late.
};

}  // namespace lepton::scheduler
