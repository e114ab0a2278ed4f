#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "lepton/core/event_loop.h"
#include "lepton/core/sync.h"
#include "lepton/net/operation_pool.h"

namespace lepton::net {

class Connection;

// One thread's event loop: the sockets given to it, the tasks posted to it. A turn reads everything
// that is ready, then runs the turn-end tasks (the scheduler's batch), then sleeps; with
// `busy_poll` it first spins that long, so that the next request need not wake the core up.
//
//     sleep -> ready sockets read -> requests decoded, queued -> turn end: batch runs, answers
//     written
//       ^___________________________________________________________________________________|
//
// run() belongs to one thread; all else is confined to it but where marked.
class Reactor final : public EventLoop {
public:
    Reactor(int index, Clock::duration busy_poll);
    ~Reactor() override;

    // Runs the loop in the calling thread until stop().
    void run();
    void stop();  // Thread-safe.

    [[nodiscard]] int index() const override { return index_; }
    [[nodiscard]] bool on_loop_thread() const override {
        return std::this_thread::get_id() == thread_.load(std::memory_order_relaxed);
    }
    void at_turn_end(Task& task) override {
        (&task == running_ ? next_turn_ : turn_end_).push(task);
    }
    void post(Task& task) override;  // Thread-safe.
    void run_at(Clock::time_point when, Task& task) override;

    [[nodiscard]] boost::asio::io_context& context() { return context_; }
    // For the operations that connections start.
    [[nodiscard]] OperationPool& operations() { return operations_; }

    // Takes the connection until it has closed and its exchanges are done.
    void adopt(std::unique_ptr<Connection> connection);
    // The connection has a read deadline: its timeouts are looked at from now on.
    void watch_timeouts();
    // Some connection has closed and waits to be destroyed.
    void reap_soon() { reap_ = true; }
    // Connections held or promised; chosen by the listeners to spread new ones. Thread-safe.
    [[nodiscard]] std::atomic<std::size_t>& connection_count() { return connection_count_; }
    void drain_connections();

private:
    static constexpr int kMaxHandlersPerTurn = 256;  // Bounds a turn under a flood.
    static constexpr std::size_t kPostBytes = 256;

    // Gives the one outstanding wake-up of post() its memory, so that no allocation is needed.
    template <class T>
    struct PostAllocator;
    struct Timed {
        Clock::time_point when;
        Task* task;
    };

    void wait_for_work();
    void read_ready();
    void run_turn_end();
    void run_posted();
    void arm_timer();
    void run_due();
    void check_timeouts();
    void reap();

    const int index_;
    const Clock::duration busy_poll_;
    std::atomic<std::thread::id> thread_{};  // Relaxed: a thread only compares it with its own id.
    OperationPool operations_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    TaskList turn_end_;
    TaskList next_turn_;
    const Task* running_ = nullptr;  // The turn-end task that is on the stack.

    boost::asio::steady_timer task_timer_;
    std::vector<Timed> timed_;  // Min-heap by `when`.
    Clock::time_point timer_armed_for_ = kNoDeadline;

    boost::asio::steady_timer timeout_tick_;
    bool watching_timeouts_ = false;
    bool reap_ = false;
    std::atomic<std::size_t> connection_count_{0};

    Mutex mutex_;
    TaskList posted_ LEPTON_GUARDED_BY(mutex_);
    bool wake_pending_ LEPTON_GUARDED_BY(mutex_) = false;
    alignas(std::max_align_t) std::byte post_memory_[kPostBytes];

    // Last: connections use all of the above while they are destroyed.
    std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace lepton::net
