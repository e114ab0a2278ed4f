#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/sync.h"
#include "lepton/model/loaded_model.h"
#include "lepton/observe/metrics.h"
#include "lepton/scheduler/batch_runner.h"
#include "lepton/scheduler/core_seat.h"
#include "lepton/scheduler/policy.h"
#include "lepton/scheduler/shared_cores.h"

namespace lepton::scheduler {

// Runs the calls for one version of a model: the policy says which wait, which run together and
// which are refused; this class gives it loops, threads and time. Calls queue up while a loop reads
// its sockets; at the end of the loop's turn an idle instance asks the policy what to run:
//
//     submit -> queue -+- short run:  on the loop's own thread, at once
//                      +- long run:   on the instance's thread
//                      +- no instance idle: whoever finishes next takes it
//
// A call without a loop finds its instance at once, and runs on the calling thread if it is short
// or that thread waits for it anyway; what has queued up meanwhile goes to the instance's thread.
//
// A batch is what has come in while the instances were busy or the loop was reading. Where several
// models share the cores, a run that is not short first asks for some: without, its calls go on
// waiting until on_cores_free(). Hold it by shared_ptr, which the calls in flight do too.
// Thread-safe. Locks: mutex_, then that of SharedCores; none while calls complete or models are
// told of free cores.
class ModelScheduler final : public CoreWaiter,
                             public CallStage,
                             public std::enable_shared_from_this<ModelScheduler> {
public:
    // A run predicted to be shorter stays on the loop's thread: handing it over costs two wake-ups
    // of 10 to 50 us each on a virtual machine. A longer one would keep that loop's other
    // connections waiting, and calls from expiring in time.
    static constexpr Clock::duration kInlineLimit = std::chrono::microseconds(500);

    // `loops`: how many event loops calls come from. `cores`: shared with other models; null: runs
    // never wait for cores.
    ModelScheduler(std::shared_ptr<model::LoadedModel> model,
                   std::shared_ptr<observe::ModelMetrics> metrics,
                   int loops,
                   std::shared_ptr<SharedCores> cores = nullptr,
                   const RunLimits& limits = {});
    ~ModelScheduler();  // Precondition: close() has been called.

    // Takes the call as its innermost stage and answers it, now or later; the call keeps the
    // scheduler until its reset(). On the call's loop thread, if it has one.
    // response.error: kInvalidArgument, kPayloadTooLarge, kQueueFull, kOverloaded,
    // kDeadlineExceeded, kCancelled, or what the engine says. False once close() was called: the
    // call is as it was, for another.
    [[nodiscard]] bool submit(InferCall& call);

    // From now on calls wait, batch and are refused as `options` says, and calls and runs have at
    // most `max_batch_size` rows; 0: as the model was loaded. What waits goes on waiting in the new
    // order, except what exceeds the new bounds, which ends with kQueueFull; what was learned
    // stays. On no loop's thread.
    void reconfigure(const model::QueueOptions& options, std::int64_t max_batch_size);

    // Counts the call: the last station of its timeline.
    void on_written(const InferCall& call) noexcept override;
    // Ends the call if it waits.
    void on_cancelled(InferCall& call) noexcept override;
    // Ends the calls whose deadline passed while they were queued, this one among them. The loops
    // do so by themselves.
    void expire(InferCall& call) override;

    // Takes no more calls, waits until those it has are complete, and ends the instances' threads.
    // On no loop's thread.
    void close();
    // The same once the loops have stopped for good: refuses what is queued and waits only for what
    // runs. The transports must still be there to get their calls back.
    void abandon();

    void on_cores_free() override;

    [[nodiscard]] const std::shared_ptr<const ModelSpec>& spec() const { return model_->spec; }

private:
    // NOLINTBEGIN(cppcoreguidelines-virtual-class-destructor): they are final, unseen from here.
    struct Instance;
    struct TurnEnd;
    struct WakeUp;
    // NOLINTEND(cppcoreguidelines-virtual-class-destructor)
    using Calls = std::vector<InferCall*>;
    struct Assignment {
        Instance* instance = nullptr;  // Busy with its next batch; null when there is none.
        bool long_run = false;         // For the instance's own thread.
        Instance* idle = nullptr;      // One to which the policy gives nothing yet.
        // When somebody has to look again, if calls wait: the first of them expires, or the policy
        // wants to be asked.
        Clock::time_point look_at = kNoDeadline;
    };

    Result<> check_rows(const InferCall& call) const LEPTON_REQUIRES(mutex_);
    Result<> admit(InferCall& call, std::vector<Refused>& refused) LEPTON_REQUIRES(mutex_);
    void dispatch_at_turn_end(EventLoop& loop);
    void on_wake_up(WakeUp& wake_up);
    void wake_at(EventLoop& loop, Clock::time_point when);
    void dispatch(EventLoop& loop);
    void dispatch_without_loop(bool caller_waits);
    Assignment assign(std::vector<Refused>& refused, bool any_length_here = false);
    // Fills the batch of an idle instance and marks it busy. Otherwise says when to look again.
    Clock::time_point take_batch(Instance& instance, std::vector<Refused>& refused)
        LEPTON_REQUIRES(mutex_);
    // The same for the instance's own thread, now or later.
    void look(Instance& instance, std::vector<Refused>& refused) LEPTON_REQUIRES(mutex_);
    void look_later(Instance& instance, Clock::time_point when);
    // `idle`: when the idle instances can begin.
    [[nodiscard]] Moment moment(Clock::time_point now, Clock::time_point idle)
        LEPTON_REQUIRES(mutex_);
    void start_thread(Instance& instance) LEPTON_REQUIRES(mutex_);
    void serve(Instance& instance);
    // False: the thread is to end.
    bool wait_for_batch(Instance& instance, std::vector<Refused>& refused);
    void finish(std::vector<Refused>& refused);
    // What follows from a look for work or from a run, once no lock is held.
    void follow_up(std::vector<Refused>& refused);
    void wait_and_join();
    void on_run(Instance& instance, std::int64_t rows, Clock::duration took);
    void done(InferCall& call);
    // `in_time`: of one that has run, and has a deadline.
    void finish(InferCall& call, std::optional<bool> in_time = {});

    const std::shared_ptr<model::LoadedModel> model_;
    const std::shared_ptr<observe::ModelMetrics> metrics_;
    const AnswerBound answer_bound_;
    CoreSeat cores_;  // Guarded by mutex_, but for wake_next() and leave().
    // One of each per loop, touched on that loop's thread only.
    std::vector<std::unique_ptr<TurnEnd>> turn_ends_;
    std::vector<std::unique_ptr<WakeUp>> wake_ups_;

    Mutex mutex_;
    std::unique_ptr<Policy> policy_ LEPTON_GUARDED_BY(mutex_);
    model::QueueOptions queue_ LEPTON_GUARDED_BY(mutex_);
    std::int64_t max_batch_size_ LEPTON_GUARDED_BY(mutex_);  // Most rows of a call; 0: no bound.
    std::vector<Clock::time_point> free_at_ LEPTON_GUARDED_BY(mutex_);  // Of moment().
    bool closed_ LEPTON_GUARDED_BY(mutex_) = false;
    std::size_t open_calls_ LEPTON_GUARDED_BY(mutex_) = 0;  // Queued or running.
    std::condition_variable all_done_;

    std::vector<std::unique_ptr<Instance>> instances_;  // Last: their threads use all of the above.
};

}  // namespace lepton::scheduler
