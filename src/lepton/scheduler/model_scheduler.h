#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/node.h"
#include "lepton/core/sync.h"
#include "lepton/model/loaded_model.h"
#include "lepton/observe/metrics.h"
#include "lepton/scheduler/answer_bound.h"
#include "lepton/scheduler/dispatcher.h"
#include "lepton/scheduler/instance.h"
#include "lepton/scheduler/loop_work.h"
#include "lepton/scheduler/shared_cores.h"

namespace lepton::scheduler {

// Runs the calls for one version of a model: a Dispatcher says which run when and on which
// instance; this class gives it loops, threads and time. Calls queue up while a loop reads its
// sockets; at the end of the loop's turn the dispatcher is asked what to run:
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
class ModelScheduler final : public Node,
                             public CallStage,
                             public CoreWaiter,
                             private LoopUser,
                             private InstanceOwner {
public:
    // A run predicted to be shorter stays on the loop's thread: handing it over costs two wake-ups
    // of 10 to 50 us each on a virtual machine. A longer one would keep that loop's other
    // connections waiting, and calls from expiring in time.
    static constexpr Clock::duration kInlineLimit = Dispatcher::kShortRun;

    // `loops`: how many event loops calls come from. `cores`: shared with other models; null: runs
    // never wait for cores.
    ModelScheduler(std::shared_ptr<model::LoadedModel> model,
                   std::shared_ptr<observe::ModelMetrics> metrics,
                   int loops,
                   std::shared_ptr<SharedCores> cores = nullptr,
                   const RunLimits& limits = {});
    ~ModelScheduler() override;  // Precondition: join(), or what calls it.

    // As Node: takes the call as its innermost stage; the call keeps the scheduler until its
    // reset(). response.error: kInvalidArgument, kPayloadTooLarge, kQueueFull, kOverloaded,
    // kDeadlineExceeded, kCancelled, or what the engine says. False once it drains.
    [[nodiscard]] bool submit(InferCall& call) override;
    [[nodiscard]] Clock::duration forecast(std::int64_t rows, std::size_t row_bytes) override;

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

    // Takes no more calls. True: it has none. Otherwise `on_drained` is called once the last one is
    // complete, on the thread that completed it, which may be one of its own: it has to be quick,
    // and somebody else has to join(). Once.
    [[nodiscard]] bool drain(std::function<void()> on_drained);
    // Ends the instances' threads and gives up the place among the cores. Once drained; on none of
    // its own threads.
    void join();
    // All of this, and waits for the calls. On no loop's thread.
    void close();

    // Takes no more calls, and refuses those that are queued. Once the loops have stopped for good;
    // the transports must still be there to get their calls back.
    void refuse_queued();
    // What may be scheduled on loops longer than this lives, for those that stop.
    [[nodiscard]] const std::vector<std::shared_ptr<LoopWork>>& loops() const { return loops_; }

    void on_cores_free() override;

    [[nodiscard]] const std::shared_ptr<const ModelSpec>& spec() const { return model_->spec; }

private:
    struct Assignment {
        Instance* instance = nullptr;  // Busy with `batch`; null when there is none.
        std::span<InferCall* const> batch;
        bool handed_over = false;  // To the instance's own thread, which is to be woken.
        // Without an instance: one to which nothing is given yet, and when somebody has to look
        // again.
        Instance* idle = nullptr;
        Clock::time_point look_at = kNoDeadline;
    };

    static Dispatcher::Options dispatcher_options(const model::LoadedModel& model,
                                                  std::int64_t max_rows);
    LoopWork& work_of(const EventLoop& loop);
    void work_on(EventLoop& loop) override;
    std::shared_ptr<LoopUser> hold() override { return {shared_from_this(), this}; }
    void dispatch_without_loop(bool caller_waits);
    Dispatcher::Next next(std::vector<Refused>& refused, std::size_t first = 0)
        LEPTON_REQUIRES(mutex_);
    // For a thread that would run up to `longest` itself.
    Assignment assign(Clock::duration longest, std::vector<Refused>& refused);
    // Gives the next batch to its instance's thread, or has that look for one later; wakes it,
    // unless it is `self` that asks. `first` as for Dispatcher::next(). False: no batch was given.
    bool hand_over_next(std::vector<Refused>& refused,
                        const Instance* self = nullptr,
                        std::size_t first = 0) LEPTON_REQUIRES(mutex_);

    void on_run(Instance& instance,
                std::int64_t rows,
                Clock::duration took,
                Clock::time_point ended) override;
    void on_computed(InferCall& call) override;
    void on_idle(Instance& instance, bool ran) override;

    // What follows from a look for work or from a run, once no lock is held.
    void follow_up(std::vector<Refused>& refused);
    void finish(std::vector<Refused>& refused);
    // `in_time`: of one that has run, and has a deadline.
    void finish(InferCall& call, std::optional<bool> in_time = {});
    // The instance's batch is done. What follows once no lock is held: on_drained(), if this is
    // true.
    [[nodiscard]] bool release(const Instance& instance) LEPTON_REQUIRES(mutex_);
    // Nothing is left, and nothing comes.
    [[nodiscard]] bool is_drained() const LEPTON_REQUIRES(mutex_);
    void on_drained();

    const std::shared_ptr<model::LoadedModel> model_;
    const std::shared_ptr<observe::ModelMetrics> metrics_;
    const AnswerBound answer_bound_;
    std::unique_ptr<SharedSeat> seat_;              // Null: runs never wait for cores.
    std::vector<std::shared_ptr<LoopWork>> loops_;  // By index; each touched on its thread only.

    Mutex mutex_;
    std::optional<Dispatcher> dispatcher_ LEPTON_GUARDED_BY(mutex_);  // Always set.
    bool closed_ LEPTON_GUARDED_BY(mutex_) = false;
    std::size_t open_calls_ LEPTON_GUARDED_BY(mutex_) = 0;  // Queued or running.
    std::function<void()> on_drained_ LEPTON_GUARDED_BY(mutex_);
    std::condition_variable all_done_;

    std::vector<std::unique_ptr<Instance>> instances_;  // Last: their threads use all of the above.
};

}  // namespace lepton::scheduler
