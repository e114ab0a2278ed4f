#include "lepton/scheduler/batch_plan.h"

#include <algorithm>
#include <utility>

#include "lepton/scheduler/prediction.h"

namespace lepton::scheduler {
namespace {

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

// One play of the queue, with batches of at least `least` rows where that many wait.
struct BatchPlanner::Play {
    BatchPlanner& planner;
    std::span<const QueuedCall> queue;
    Clock::time_point now;
    const Options& options;
    std::int64_t least;

    // False: it would leave a call behind that must be served.
    bool run(std::span<const Clock::time_point> free_at) {
        planner.free_at_.assign(free_at.begin(), free_at.end());
        for (Clock::time_point& at : planner.free_at_) at = std::max(at, now);
        planner.settled_.assign(queue.size(), 0);
        Plan& plan = planner.plan_;
        plan.score = 0;
        plan.length = {};
        plan.first_batch.clear();
        plan.late.clear();
        for (std::size_t head = 0; head < queue.size(); ++head) {
            if (planner.settled_[head] != 0 || serve(head)) continue;
            if (must_serve(head)) return false;
            plan.late.push_back(head);
        }
        plan.score -= options.price * seconds(plan.length);
        return true;
    }

    [[nodiscard]] bool must_serve(std::size_t place) const {
        return options.protect && place != options.candidate &&
               queue[place].priority <= options.protected_priority;
    }

    // How long a batch that begins at `start` may take for this call to be in time.
    [[nodiscard]] Clock::duration budget_of(const QueuedCall& call, Clock::time_point start) const {
        if (call.deadline == kNoDeadline) return Clock::duration::max();
        const auto margin =
            static_cast<Clock::rep>(options.margin * static_cast<double>((start - now).count()));
        return call.deadline - start - Clock::duration(margin);
    }

    // Rows that may join the head, itself included, at most max_rows.
    [[nodiscard]] std::int64_t rows_from(std::size_t head) const {
        std::int64_t rows = 0;
        for (std::size_t i = head; i < queue.size(); ++i) {
            if (planner.settled_[i] != 0 || queue[i].shape_class != queue[head].shape_class) {
                continue;
            }
            if (rows + queue[i].rows > options.max_rows) break;
            rows += queue[i].rows;
        }
        return std::max(rows, queue[head].rows);
    }

    [[nodiscard]] Clock::duration stretched(Clock::duration length) const {
        if (options.stretch <= 1) return length;
        return scaled(length, options.stretch);
    }

    // Gives the head and those that fit a batch on the instance that is free first. False: the head
    // would be late, or the batch too small.
    bool serve(std::size_t head) {
        const auto free = std::min_element(planner.free_at_.begin(), planner.free_at_.end());
        const Clock::time_point start = *free;
        const int active =
            static_cast<int>(std::count_if(planner.free_at_.begin(),
                                           planner.free_at_.end(),
                                           [start](auto at) { return at > start; })) +
            1;
        const QueuedCall& first = queue[head];
        const LatencyModel& latency = *first.latency;
        const Clock::duration budget = budget_of(first, start);
        const std::int64_t there = rows_from(head);
        std::int64_t rows = first.rows;
        if (first.rows >= options.max_rows) {
            if (latency.safe(first.rows, active) > budget) return false;
        } else {
            const std::int64_t possible = latency.rows_within(budget, there, active);
            if (possible < std::max(first.rows, std::min(least, there))) return false;
            rows = std::max(first.rows, latency.efficient_rows(possible));
        }
        const std::int64_t taken = fill(head, rows, start, active);
        const Clock::duration length = latency.typical(taken, active);
        *free = start + stretched(length);
        planner.plan_.length += length;
        return true;
    }

    // Takes the head and what may follow it into a batch of at most `rows`; how many it has.
    std::int64_t fill(std::size_t head, std::int64_t rows, Clock::time_point start, int active) {
        Plan& plan = planner.plan_;
        const bool is_first = plan.first_batch.empty();
        const Clock::duration length = queue[head].latency->safe(rows, active);
        std::int64_t taken = 0;
        for (std::size_t i = head; i < queue.size() && taken < rows; ++i) {
            const QueuedCall& call = queue[i];
            if (planner.settled_[i] != 0 || call.shape_class != queue[head].shape_class) continue;
            if (i != head && (taken + call.rows > rows || budget_of(call, start) < length)) {
                continue;
            }
            planner.settled_[i] = 1;
            taken += call.rows;
            plan.score += static_cast<double>(call.rows);
            if (is_first) plan.first_batch.push_back(i);
        }
        return taken;
    }
};

const BatchPlanner::Plan* BatchPlanner::best(std::span<const QueuedCall> queue,
                                             std::span<const Clock::time_point> free_at,
                                             Clock::time_point now,
                                             const Options& options) {
    queue = queue.first(std::min(queue.size(), kHorizon));
    std::int64_t there = 0;
    for (const QueuedCall& call : queue) there += call.rows;
    bool found = false;
    for (std::int64_t least = 1; least == 1 || least < 2 * std::min(there, options.max_rows);
         least *= 2) {
        Play play{*this, queue, now, options, std::min(least, options.max_rows)};
        if (!play.run(free_at)) continue;
        if (found && plan_.score <= best_.score) continue;
        std::swap(plan_, best_);
        found = true;
    }
    return found ? &best_ : nullptr;
}

}  // namespace lepton::scheduler
