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
#include "lepton/net/connection_table.h"
#include "lepton/net/operation_pool.h"
#include "lepton/net/side_thread.h"

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
    Reactor(int index,
            Clock::duration busy_poll,
            Clock::duration look_every = std::chrono::seconds(1));
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
    void run_aside(Task& task, std::uint64_t client) override { side_thread_.run(task, client); }

    [[nodiscard]] boost::asio::io_context& context() { return context_; }
    // For the operations that connections start.
    [[nodiscard]] OperationPool& operations() { return operations_; }

    // Takes the connection until it has closed and its exchanges are done.
    void adopt(std::unique_ptr<Connection> connection);
    // Ends connections that wait for their clients, those that have waited for longest first, so
    // that others have room: one of `peer`; or, where that is null, of those who have the most of
    // them. False: all have work to do.
    bool make_room(const ConnectionTable::Peer* peer);
    // Some connection is to be looked after at the next look: one timer serves all of them, because
    // their times are seconds.
    void look_soon() { look_at(Clock::now() + look_every_); }
    // Some connection has closed and waits to be destroyed.
    void reap_soon() { reap_ = true; }
    template <class Do>
    void for_each_connection(const Do& step) {
        for (const auto& connection : connections_) step(*connection);
    }

private:
    // Bound a turn under a flood, of requests and of large ones.
    static constexpr int kMaxHandlersPerTurn = 256;
    static constexpr auto kLongestReading = std::chrono::milliseconds(1);
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
    void look_at(Clock::time_point when);
    void look_after_connections();
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

    const Clock::duration look_every_;
    boost::asio::steady_timer look_timer_;
    Clock::time_point look_armed_for_ = kNoDeadline;
    bool reap_ = false;

    Mutex mutex_;
    TaskList posted_ LEPTON_GUARDED_BY(mutex_);
    bool wake_pending_ LEPTON_GUARDED_BY(mutex_) = false;
    alignas(std::max_align_t) std::byte post_memory_[kPostBytes];

    // Connections use all of the above while they are destroyed.
    std::vector<std::unique_ptr<Connection>> connections_;
    SideThread side_thread_;  // Last: it works on the connections' messages.
};

}  // namespace lepton::net
