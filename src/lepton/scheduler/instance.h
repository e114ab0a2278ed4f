#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>

#include "lepton/core/infer_call.h"
#include "lepton/core/sync.h"
#include "lepton/scheduler/batch_runner.h"

namespace lepton::scheduler {

class Instance;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// Whom an Instance works for. On whichever thread the instance runs, with no lock held.
class InstanceOwner {
public:
    // The engine has run so many rows; `ended`: just now. Before the calls that it answers.
    virtual void on_run(Instance& instance,
                        std::int64_t rows,
                        Clock::duration took,
                        Clock::time_point ended) = 0;
    // The call has its outputs, which are valid during this only, or its error.
    virtual void on_computed(InferCall& call) = 0;
    // On the instance's own thread: the batch that it was handed is done, or (`ran` false) it is
    // time to look for one.
    virtual void on_idle(Instance& instance, bool ran) = 0;

protected:
    ~InstanceOwner() = default;
};

// One instance of a model: a session of the engine, and a thread for the runs that would keep
// others waiting where they are asked for. Who is busy with what is the dispatcher's to know.
class Instance final : private CallSink {
public:
    // `mutex`: the owner's. `index`: the dispatcher's number. All must outlive the instance.
    Instance(InstanceOwner& owner,
             Mutex& mutex,
             std::size_t index,
             engine::Session& session,
             const ModelSpec& spec,
             const RunLimits& limits);
    ~Instance();  // Precondition: join(), if it ever was handed anything.
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    [[nodiscard]] std::size_t index() const { return index_; }
    [[nodiscard]] std::int64_t max_rows() const { return runner_.max_rows(); }

    // Runs the calls on the calling thread, without the lock.
    void run(std::span<InferCall* const> batch) { runner_.run(batch, *this); }

    // The thread is to run the calls, or to look for some at `when`. Under the owner's lock, and
    // followed by wake(), better without it, unless by the thread itself.
    void hand_over(std::span<InferCall* const> batch);
    void look_at(Clock::time_point when);
    void wake() { wake_.notify_one(); }

    // Ends the thread once it has nothing to run. Not under the lock, nor on the thread.
    void join();

private:
    void ran(std::int64_t rows, Clock::duration took, Clock::time_point ended) override {
        owner_.on_run(*this, rows, took, ended);
    }
    void done(InferCall& call) override { owner_.on_computed(call); }
    void start_thread();
    void serve();
    // False: the thread is to end. Otherwise the calls to run, or none when it is time to look.
    bool wait_for_work(std::span<InferCall* const>& batch);

    InstanceOwner& owner_;
    Mutex& mutex_;
    const std::size_t index_;
    BatchRunner runner_;
    // What follows is guarded by mutex_, the thread until the end.
    std::span<InferCall* const> batch_;  // For the thread.
    Clock::time_point look_at_ = kNoDeadline;
    bool stop_ = false;
    std::condition_variable wake_;
    std::thread thread_;  // Started with the first thing that it is handed.
};

}  // namespace lepton::scheduler
