#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/sync.h"
#include "lepton/model/loaded_model.h"
#include "lepton/observe/metrics.h"
#include "lepton/scheduler/batch_runner.h"
#include "lepton/scheduler/call_queue.h"
#include "lepton/scheduler/latency_model.h"

namespace lepton::scheduler {

// Decides when and where the calls for one version of a model run. Calls queue up while a loop
// reads its sockets; at the end of the loop's turn an idle instance takes what is queued:
//
//     submit -> queue -+- short run:  on the loop's own thread, at once
//                      +- long run:   on the instance's thread
//                      +- no instance idle: whoever finishes next takes it
//
// A call without a loop finds its instance at once, and runs on the calling thread if it is short
// or that thread waits for it anyway; what has queued up meanwhile goes to the instance's thread.
//
// Never waits for company: a batch is what has come in while the instances were busy or the loop
// was reading. Hold it by shared_ptr, which the calls in flight do too. Thread-safe.
class ModelScheduler final : public std::enable_shared_from_this<ModelScheduler>, private CallSink {
public:
    // A run predicted to be shorter stays on the loop's thread: handing it over costs two wake-ups
    // of 10 to 50 us each on a virtual machine. A longer one would keep that loop's other
    // connections waiting, and calls from expiring in time.
    static constexpr Clock::duration kInlineLimit = std::chrono::microseconds(500);

    // `loops`: how many event loops calls come from.
    ModelScheduler(std::shared_ptr<model::LoadedModel> model,
                   std::shared_ptr<observe::ModelMetrics> metrics,
                   int loops);
    ~ModelScheduler();  // Precondition: close() has been called.

    // Takes the call and completes it, now or later. On the call's loop thread, if it has one.
    // response.error: kInvalidArgument, kQueueFull, kDeadlineExceeded, kCancelled, kUnavailable
    // once close() was called, or what the engine says.
    void submit(InferCall& call);

    // Ends the calls whose deadline passed while they were queued. The loops do so by themselves.
    void expire();

    // Takes no more calls, waits until those it has are complete, and ends the instances' threads.
    // On no loop's thread.
    void close();
    // The same once the loops have stopped for good: refuses what is queued and waits only for what
    // runs. The transports must still be there to get their calls back.
    void abandon();

    [[nodiscard]] const std::shared_ptr<const ModelSpec>& spec() const { return model_->spec; }

private:
    struct Instance;
    // NOLINTBEGIN(cppcoreguidelines-virtual-class-destructor): they are final, unseen from here.
    struct TurnEnd;
    struct Expiry;
    // NOLINTEND(cppcoreguidelines-virtual-class-destructor)
    using Calls = std::vector<InferCall*>;
    struct Assignment {
        Instance* instance =
            nullptr;            // Busy with its next batch; null when there is none of either.
        bool long_run = false;  // For the instance's own thread.
        Clock::time_point earliest =
            kNoDeadline;  // Of the calls that stay queued, if none is idle.
    };

    Result<> admit(InferCall& call);
    void dispatch_at_turn_end(EventLoop& loop);
    void on_expiry(Expiry& expiry);
    void watch_expiry(EventLoop& loop, Clock::time_point deadline);
    void dispatch(EventLoop& loop);
    void dispatch_without_loop(bool caller_waits);
    Assignment assign(Calls& dropped, bool any_length_here = false);
    // Marks an idle instance busy and gives it the next batch. Null when there is none of either.
    Instance* claim(Calls& dropped) LEPTON_REQUIRES(mutex_);
    bool take_batch(Instance& instance, Calls& dropped) LEPTON_REQUIRES(mutex_);
    void run_batch(Instance& instance);
    void start_thread(Instance& instance) LEPTON_REQUIRES(mutex_);
    void serve(Instance& instance);
    void drop(Calls& dropped);
    void wait_and_join();
    void done(InferCall& call) override;
    void finish(InferCall& call);
    void count(const InferCall& call);

    const std::shared_ptr<model::LoadedModel> model_;
    const std::shared_ptr<observe::ModelMetrics> metrics_;
    // One of each per loop, touched on that loop's thread only.
    std::vector<std::unique_ptr<TurnEnd>> turn_ends_;
    std::vector<std::unique_ptr<Expiry>> expiries_;

    Mutex mutex_;
    CallQueue queue_ LEPTON_GUARDED_BY(mutex_);
    LatencyModel latency_ LEPTON_GUARDED_BY(mutex_);
    bool closed_ LEPTON_GUARDED_BY(mutex_) = false;
    std::size_t open_calls_ LEPTON_GUARDED_BY(mutex_) = 0;  // Queued or running.
    std::condition_variable all_done_;

    std::vector<std::unique_ptr<Instance>> instances_;  // Last: their threads use all of the above.
};

}  // namespace lepton::scheduler
