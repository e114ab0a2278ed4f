#pragma once

#include <cstdint>
#include <utility>

#include "lepton/core/clock.h"

namespace lepton {

// A piece of work that an EventLoop runs. Intrusive, so that scheduling it costs no allocation: a
// task may wait in one list at a time, and whoever schedules it keeps it alive until run().
class Task {
public:
    virtual void run() noexcept = 0;

    Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

protected:
    ~Task() = default;

private:
    friend class TaskList;
    Task* next_ = nullptr;
};

// FIFO of tasks that are owned elsewhere. Not thread-safe; the owner serialises.
class TaskList {
public:
    [[nodiscard]] bool empty() const { return head_ == nullptr; }
    void push(Task& task) {
        task.next_ = nullptr;
        (tail_ == nullptr ? head_ : tail_->next_) = &task;
        tail_ = &task;
    }
    // Null when empty. The task may be scheduled again from within its own run().
    Task* pop() {
        Task* task = head_;
        if (task == nullptr) return nullptr;
        head_ = task->next_;
        if (head_ == nullptr) tail_ = nullptr;
        task->next_ = nullptr;
        return task;
    }
    void swap(TaskList& other) noexcept {
        std::swap(head_, other.head_);
        std::swap(tail_, other.tail_);
    }

private:
    Task* head_ = nullptr;
    Task* tail_ = nullptr;
};

// The thread that a request arrived on and that will write its answer, as the rest of the path sees
// it. `net` implements it; tests use a fake.
class EventLoop {
public:
    virtual ~EventLoop() = default;

    // Dense number of this loop, below the number of loops in the process.
    [[nodiscard]] virtual int index() const = 0;
    [[nodiscard]] virtual bool on_loop_thread() const = 0;

    // Runs `task` once every event that is ready by now has been read, before the loop sleeps. What
    // arrives in one turn can so be run as one batch. From within a turn-end task: still in this
    // turn, except that a task which schedules itself runs in the next one, after the sockets were
    // read. Loop thread only.
    virtual void at_turn_end(Task& task) = 0;

    // Runs `task` on the loop's thread, soon. Thread-safe.
    virtual void post(Task& task) = 0;

    // Runs `task` at `when` or, at most 1 ms, later. Loop thread only.
    virtual void run_at(Clock::time_point when, Task& task) = 0;

    // Runs `task` on a thread beside the loop's: for work that grows with what a client sent or
    // asked for, which would keep everybody else on the loop waiting. One task at a time, and the
    // clients take turns; `client` is a number as InferCall has it. Thread-safe.
    virtual void run_aside(Task& task, std::uint64_t client) = 0;
};

}  // namespace lepton
