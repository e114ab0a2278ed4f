#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/result.h"
#include "lepton/model/loaded_model.h"
#include "lepton/scheduler/core_seat.h"
#include "lepton/scheduler/policy.h"

namespace lepton::scheduler {

// Says which calls for one version of a model wait, which run together, when and on which instance:
// the policy, the instances and the share of the cores as one state machine without threads, clock,
// lock or engine. Time is an argument, so that tests and simulations drive what the server runs.
//
//     admit -> (waits) -> next: batch for an instance -> ran, once per run of the engine -> release
//                  `----> refused
//
// Holds calls without owning them; one that goes to `refused` is no longer held. Instances are
// numbers from 0. Not thread-safe; the owner serialises.
class Dispatcher {
public:
    // A run that is sure to be shorter needs no grant of cores: it is over before anybody else
    // could make use of them.
    static constexpr Clock::duration kShortRun = std::chrono::microseconds(500);

    struct Options {
        std::string model;  // Its name, for errors.
        model::QueueOptions queue{};
        std::vector<model::ServiceTime> service_times;  // The seeds of its LatencyModel.
        bool sizes_vary = false;                        // See LatencyTable.
        std::int64_t max_rows = 1;                      // The maximum of one run.
        std::int64_t max_batch_size = 0;                // Most rows of a call; 0: no bound.
        std::size_t instances = 1;
    };

    struct Next {
        // Busy from here on with batch_of() it, until release(). None: nothing runs now.
        std::optional<std::size_t> instance;
        Clock::duration predicted{};  // What its run takes.
        // One that stays idle although calls wait: they wait for company or for cores.
        std::optional<std::size_t> idle;
        // Without an instance: when to ask again, if nothing happens before. After `now`.
        Clock::time_point look_at = kNoDeadline;
        // How long calls had waited for cores that this granted, if they had.
        std::optional<Clock::duration> waited_for_cores;
    };

    // `cores` null: runs never wait for cores. Otherwise they must outlive it.
    Dispatcher(Options options, Cores* cores, Clock::time_point now);

    // Takes the call, or says why not. Errors: kInvalidArgument for too many rows, and as the
    // policy's.
    Result<> admit(InferCall& call, Clock::time_point now, std::vector<Refused>& refused);

    // What an idle instance runs now: `first`, if it is idle, or else the one with the lowest
    // number. To be asked until it names none.
    Next next(Clock::time_point now, std::vector<Refused>& refused, std::size_t first = 0);
    // The calls that the instance is busy with.
    [[nodiscard]] std::span<InferCall* const> batch_of(std::size_t instance) const {
        return instances_[instance].batch;
    }
    // The engine has run so many rows for the instance's batch. Returns what had been predicted.
    Clock::duration ran(std::size_t instance,
                        std::int64_t rows,
                        Clock::duration took,
                        Clock::time_point now);
    // The batch is done, and the instance idle.
    void release(std::size_t instance);
    // A call with a deadline has run, and is answered by then, or late.
    void answered(bool in_time) { policy_->answered(in_time); }

    void cancel(const InferCall& call, std::vector<Refused>& refused);
    void expire(Clock::time_point now, std::vector<Refused>& refused);
    // Takes out all that wait.
    void clear(std::vector<InferCall*>& calls) { policy_->clear(calls); }

    // From now on calls wait, batch and are refused as `queue` says; `max_batch_size` 0: as in the
    // beginning. What waits goes on waiting in the new order, except what exceeds the new bounds;
    // what was learned stays.
    void reconfigure(const model::QueueOptions& queue,
                     std::int64_t max_batch_size,
                     Clock::time_point now,
                     std::vector<Refused>& refused);

    // In how long a call of so many rows, of so many bytes each, would be answered if it came now.
    [[nodiscard]] Clock::duration forecast(std::int64_t rows,
                                           std::size_t row_bytes,
                                           Clock::time_point now);

    [[nodiscard]] std::size_t waiting() const { return policy_->waiting(); }
    [[nodiscard]] bool is_any_busy() const;

private:
    struct Instance {
        bool busy = false;
        std::vector<InferCall*> batch;
        CoreSeat::Held cores;
        // The policy's, for its batch; what follows is the batch's too.
        LatencyModel* latency = nullptr;
        Clock::time_point ends;  // The predicted end.
        int active = 1;          // Instances that were busy when it began, itself included.
    };

    [[nodiscard]] std::optional<std::size_t> idle_instance(std::size_t first) const;
    // `idle`: when the idle instances can begin.
    [[nodiscard]] Moment moment(Clock::time_point now, Clock::time_point idle);
    Result<> check_rows(const InferCall& call) const;
    // Fills the batch of an idle instance. Otherwise says when to look again.
    Clock::time_point fill(Instance& instance,
                           Clock::time_point now,
                           std::vector<Refused>& refused,
                           Next& next);

    const Options options_;
    CoreSeat cores_;
    std::unique_ptr<Policy> policy_;
    model::QueueOptions queue_;    // In force, like what follows.
    std::int64_t max_batch_size_;  // Most rows of a call; 0: no bound.
    std::vector<Instance> instances_;
    std::vector<Clock::time_point> free_at_;  // Scratch of moment().
};

}  // namespace lepton::scheduler
