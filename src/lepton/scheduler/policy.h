#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/result.h"
#include "lepton/model/loaded_model.h"
#include "lepton/scheduler/call_forecast.h"
#include "lepton/scheduler/call_queue.h"
#include "lepton/scheduler/core_budget.h"
#include "lepton/scheduler/latency_table.h"

namespace lepton::scheduler {

// A call that was taken and will not run after all.
struct Refused {
    InferCall* call = nullptr;
    Error error;
};

// When a decision is taken, and when each instance will be idle; not after `now`: it is.
struct Moment {
    Clock::time_point now;
    std::span<const Clock::time_point> free_at;
    // How much of the time of the instances other models leave them; at most 1.
    double share = 1;
    // When a run that begins now has to be over, if it can be: other models need the cores.
    Clock::time_point latest_end = kNoDeadline;

    [[nodiscard]] Clock::time_point start() const;  // Of a run that were wanted now.
    [[nodiscard]] int active() const;               // Instances that are busy at `now`.
};

// Decides which calls for one model wait, which run together next, and which are refused. A state
// machine without threads, clock or engine: time is an argument, so that tests and simulations
// replay it. Holds calls without owning them. Not thread-safe; the owner serialises.
class Policy {
public:
    // `max_rows`: most rows of one run. `seeds` and `sizes_vary` as for LatencyTable.
    Policy(const model::QueueOptions& options,
           std::int64_t max_rows,
           std::span<const model::ServiceTime> seeds,
           Clock::time_point now,
           bool sizes_vary = false);
    virtual ~Policy() = default;
    Policy(const Policy&) = delete;
    Policy& operator=(const Policy&) = delete;

    // Takes the call, or says why not. Calls that make room for it go to `refused`.
    // Errors: kDeadlineExceeded for one that cannot be in time even alone, kQueueFull, kOverloaded.
    virtual Result<> admit(InferCall& call, const Moment& at, std::vector<Refused>& refused) = 0;

    // What an idle instance runs now: fills `batch`, of which all share a shape class, with at most
    // max_rows rows, or with one call that has more. Left empty when nothing waits, or nothing
    // before the time that is returned. Calls that cannot be in time any more go to `refused`.
    virtual Clock::time_point next_batch(const Moment& at,
                                         std::vector<InferCall*>& batch,
                                         std::vector<Refused>& refused) = 0;

    // Begins with what waits for `old`, in this policy's order, and with all that `old` has
    // learned; calls beyond the bounds, of those due last, go to `refused` with kQueueFull.
    // Precondition: nothing waits here yet. `old` is left empty, to be thrown away.
    void take_over(Policy& old, std::vector<Refused>& refused);

    // How long runs of calls like this one take. Learns from each run that it is told of.
    [[nodiscard]] LatencyModel& latency_of(const InferCall& call, Clock::time_point now) {
        return latencies_.of(call.row_bytes, now);
    }

    // In how long a call of so many rows, of so many bytes each, would be answered if it came at
    // `at` and nothing came before it but what waits.
    [[nodiscard]] Clock::duration forecast(std::int64_t rows,
                                           std::size_t row_bytes,
                                           const Moment& at) const;

    // A call with a deadline has run, and is answered by then, or late.
    virtual void answered(bool in_time) { static_cast<void>(in_time); }

    // What waits, and what is to be expected, for the sharing of cores. Precondition: not empty().
    [[nodiscard]] Work work() const;

    // Takes out the call, if it waits: its client has gone.
    void cancel(const InferCall& call, std::vector<Refused>& refused);
    // Takes out the calls that have expired.
    void expire(Clock::time_point now, std::vector<Refused>& refused) {
        if (now >= earliest_expiry_) take_expired(now, refused);
    }
    // No waiting call expires before this.
    [[nodiscard]] Clock::time_point earliest_expiry() const { return earliest_expiry_; }
    [[nodiscard]] bool empty() const { return queue_.empty(); }
    [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
    // Takes out everything.
    void clear(std::vector<InferCall*>& calls);

protected:
    // Sets `rank` and `due`, what the queue is ordered by.
    virtual void place(QueuedCall& call) const = 0;
    // A call that waited has expired.
    virtual void expired() {}
    // What else `old` has learned.
    virtual void learn_from(const Policy& old) { static_cast<void>(old); }
    // Most rows of a run of calls like the first that ends by at.latest_end; at least one.
    [[nodiscard]] std::int64_t most_rows(const Moment& at) const;
    // kQueueFull when the call would exceed a bound.
    [[nodiscard]] Result<> check_bounds(const QueuedCall& call) const;
    // What waits at `at`, and what runs, will have run in so long; endless where nobody knows.
    [[nodiscard]] std::chrono::duration<double> wait(const Moment& at) const;
    // The same error, and when to ask again: once what waits at `at` has run.
    [[nodiscard]] Error busy(Error error, const Moment& at) const;
    [[nodiscard]] QueuedCall describe(InferCall& call, Clock::time_point now);
    void insert(const QueuedCall& call);
    // Moves the calls at these places to `batch`; those that have been cancelled go to `refused`.
    void take(std::span<const std::size_t> places,
              std::vector<InferCall*>& batch,
              std::vector<Refused>& refused);
    void refuse(std::span<const std::size_t> places,
                const Error& error,
                std::vector<Refused>& refused);

    const model::QueueOptions options_;
    const std::int64_t max_rows_;
    CallQueue queue_;
    LatencyTable latencies_;

private:
    void take_expired(Clock::time_point now, std::vector<Refused>& refused);
    [[nodiscard]] std::uint32_t priority_of(const Request& request) const;
    [[nodiscard]] const model::WaitBound& wait_of(const QueuedCall& call) const;
    [[nodiscard]] bool counts(const model::WaitBound& wait) const;
    [[nodiscard]] Clock::time_point expiry_of(const QueuedCall& call) const;
    // Whether it waits on, behind others, once it has expired.
    [[nodiscard]] bool is_delayed_by_expiry(const QueuedCall& call) const;

    CallForecast forecast_;
    Clock::time_point earliest_expiry_ = kNoDeadline;
    std::vector<std::size_t> places_;
    std::vector<QueuedCall> delayed_;
};

// Makes the policy that options.policy names.
std::unique_ptr<Policy> make_policy(const model::QueueOptions& options,
                                    std::int64_t max_rows,
                                    std::span<const model::ServiceTime> seeds,
                                    Clock::time_point now,
                                    bool sizes_vary = false);

}  // namespace lepton::scheduler
