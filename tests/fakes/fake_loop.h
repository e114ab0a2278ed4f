#pragma once

#include <algorithm>
#include <thread>
#include <vector>

#include "lepton/core/event_loop.h"
#include "lepton/core/sync.h"

namespace lepton::fakes {

// A loop whose turns end, and whose time passes, when the test says so.
class FakeLoop final : public EventLoop {
public:
    explicit FakeLoop(int index = 0) : index_(index) {}

    [[nodiscard]] int index() const override { return index_; }
    [[nodiscard]] bool on_loop_thread() const override {
        return std::this_thread::get_id() == thread_;
    }
    void at_turn_end(Task& task) override { turn_end_.push(task); }
    void post(Task& task) override {
        const MutexLock lock(mutex_);
        posted_.push(task);
    }
    void run_at(Clock::time_point when, Task& task) override { timed_.push_back({when, &task}); }
    void run_aside(Task& task, std::uint64_t /*client*/) override { aside_.push(task); }

    // False when there was nothing to run.
    bool end_turn() {
        TaskList tasks;
        tasks.swap(turn_end_);
        return run_all(tasks);
    }
    bool run_posted() {
        TaskList tasks;
        {
            const MutexLock lock(mutex_);
            tasks.swap(posted_);
        }
        return run_all(tasks);
    }
    // What was put aside, and what came of it.
    bool run_aside() {
        TaskList tasks;
        tasks.swap(aside_);
        const bool any = run_all(tasks);
        return run_posted() || any;
    }
    // Runs what was due by `now`.
    bool pass_to(Clock::time_point now) {
        std::vector<Timed> due;
        std::copy_if(
            timed_.begin(), timed_.end(), std::back_inserter(due), [now](const Timed& timed) {
                return timed.when <= now;
            });
        std::erase_if(timed_, [now](const Timed& timed) { return timed.when <= now; });
        for (const Timed& timed : due) timed.task->run();
        return !due.empty();
    }

private:
    struct Timed {
        Clock::time_point when;
        Task* task;
    };
    static bool run_all(TaskList& tasks) {
        bool any = false;
        while (Task* task = tasks.pop()) {
            task->run();
            any = true;
        }
        return any;
    }

    const int index_;
    const std::thread::id thread_ = std::this_thread::get_id();
    TaskList turn_end_;
    TaskList aside_;
    std::vector<Timed> timed_;
    Mutex mutex_;
    TaskList posted_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::fakes
