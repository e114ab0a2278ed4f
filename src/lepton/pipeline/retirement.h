#pragma once

#include <condition_variable>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "lepton/core/sync.h"
#include "lepton/scheduler/model_scheduler.h"

namespace lepton::pipeline {

// The models that take no more calls and still have some. Each is let go once its last call is
// complete, by a thread of its own: that call may complete on one of the model's own threads, which
// cannot wait for themselves, and who retires a model has other things to do than to wait. Nobody
// waits for anybody else's calls. Thread-safe.
class Retirement {
public:
    using SchedulerPtr = std::shared_ptr<scheduler::ModelScheduler>;

    Retirement() = default;
    ~Retirement();  // Returns when all are gone.
    Retirement(const Retirement&) = delete;
    Retirement& operator=(const Retirement&) = delete;

    // On no thread of the model's own. One that has no calls is gone when this returns.
    void add(SchedulerPtr scheduler);
    // Once the loops have stopped for good: refuses what is queued, and returns when what runs has
    // been handed back and all are gone.
    void abandon();

private:
    struct Entry {
        SchedulerPtr scheduler;
        bool drained = false;
    };

    void work();
    void wait_until_empty();
    // Null: there is none, and there will be none.
    Entry* next_drained();
    void end(Entry& entry);

    Mutex mutex_;
    std::condition_variable changed_;  // An entry is drained or gone, or stopping_.
    std::list<Entry> entries_ LEPTON_GUARDED_BY(mutex_);
    // What those that are gone may have scheduled on loops.
    std::vector<std::weak_ptr<scheduler::LoopWork>> scheduled_ LEPTON_GUARDED_BY(mutex_);
    bool stopping_ LEPTON_GUARDED_BY(mutex_) = false;
    std::thread thread_;  // Started with the first that has calls. Guarded by mutex_ until the end.
};

}  // namespace lepton::pipeline
