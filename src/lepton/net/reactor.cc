#include "lepton/net/reactor.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "lepton/core/check.h"
#include "lepton/net/connection.h"

namespace lepton::net {
namespace {

namespace asio = boost::asio;

// A search through many connections makes room for as many that come after: one in so many.
constexpr std::size_t kShareEnded = 128;

constexpr auto kLater = [](const auto& a, const auto& b) { return a.when > b.when; };

}  // namespace

template <class T>
struct Reactor::PostAllocator {
    using value_type = T;

    explicit PostAllocator(Reactor& owner) : reactor(&owner) {}
    template <class U>
    // NOLINTNEXTLINE(google-explicit-constructor): as the requirements on allocators have it.
    PostAllocator(const PostAllocator<U>& other) : reactor(other.reactor) {}

    T* allocate(std::size_t count) {
        LEPTON_CHECK(count * sizeof(T) <= kPostBytes);
        return reinterpret_cast<T*>(reactor->post_memory_);
    }
    void deallocate(T*, std::size_t) {}
    friend bool operator==(const PostAllocator& a, const PostAllocator& b) {
        return a.reactor == b.reactor;
    }

    Reactor* reactor;
};

Reactor::Reactor(int index, Clock::duration busy_poll, Clock::duration look_every)
    : index_(index),
      busy_poll_(busy_poll),
      work_(asio::make_work_guard(context_)),
      task_timer_(context_),
      look_every_(look_every),
      look_timer_(context_) {
    timed_.reserve(64);
}

Reactor::~Reactor() = default;

void Reactor::run() {
    thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    while (!context_.stopped()) {
        // A turn-end task may have put itself on the list again, to run after the sockets are read.
        const bool idle = turn_end_.empty();
        if (idle) wait_for_work();
        // What else became ready meanwhile belongs to the same turn; a client that is alone has
        // nobody to share a batch with, and is not kept waiting for a look at the sockets.
        if (!idle || connections_.size() != 1) read_ready();
        run_turn_end();
        if (reap_) reap();
    }
    side_thread_.stop();
}

void Reactor::stop() { context_.stop(); }

void Reactor::wait_for_work() {
    if (busy_poll_ > Clock::duration::zero()) {
        const Clock::time_point until = Clock::now() + busy_poll_;
        do {
            if (context_.poll_one() > 0) return;
        } while (Clock::now() < until && !context_.stopped());
    }
    context_.run_one();
}

void Reactor::read_ready() {
    const Clock::time_point until = Clock::now() + kLongestReading;
    for (int n = 0; n < kMaxHandlersPerTurn && context_.poll_one() > 0; ++n) {
        if (Clock::now() > until) return;
    }
}

void Reactor::run_turn_end() {
    while (Task* task = turn_end_.pop()) {
        running_ = task;
        task->run();
    }
    running_ = nullptr;
    turn_end_.swap(next_turn_);
}

void Reactor::post(Task& task) {
    {
        const MutexLock lock(mutex_);
        posted_.push(task);
        if (std::exchange(wake_pending_, true)) return;
    }
    asio::post(context_,
               asio::bind_allocator(PostAllocator<void>(*this), [this] { run_posted(); }));
}

void Reactor::run_posted() {
    TaskList tasks;
    {
        const MutexLock lock(mutex_);
        tasks.swap(posted_);
        wake_pending_ = false;
    }
    while (Task* task = tasks.pop()) task->run();
}

void Reactor::run_at(Clock::time_point when, Task& task) {
    timed_.push_back({when, &task});
    std::push_heap(timed_.begin(), timed_.end(), kLater);
    arm_timer();
}

void Reactor::arm_timer() {
    if (timed_.empty() || timed_.front().when >= timer_armed_for_) return;
    timer_armed_for_ = timed_.front().when;
    task_timer_.expires_at(timer_armed_for_);
    auto on_due = [this](const boost::system::error_code& error) {
        if (!error) run_due();
    };
    task_timer_.async_wait(asio::bind_allocator(operations_.allocator(), on_due));
}

void Reactor::run_due() {
    timer_armed_for_ = kNoDeadline;
    const Clock::time_point now = Clock::now();
    while (!timed_.empty() && timed_.front().when <= now) {
        std::pop_heap(timed_.begin(), timed_.end(), kLater);
        Task* task = timed_.back().task;
        timed_.pop_back();
        task->run();
    }
    arm_timer();
}

void Reactor::adopt(std::unique_ptr<Connection> connection) {
    connections_.push_back(std::move(connection));
    connections_.back()->start();
}

bool Reactor::make_room(const ConnectionTable::Peer* peer) {
    struct Candidate {
        std::size_t of_peer;
        Clock::time_point waits_since;
        Connection* connection;
    };
    std::vector<Candidate> candidates;
    for (const auto& connection : connections_) {
        if (!connection->waits_for_client()) continue;
        const ConnectionTable::Peer* from = connection->seat().peer();
        if (peer != nullptr && from != peer) continue;
        candidates.push_back({from->connections.load(std::memory_order_relaxed),
                              connection->waits_since(),
                              connection.get()});
    }
    const std::size_t ended = peer != nullptr ? 1 : 1 + candidates.size() / kShareEnded;
    const auto end =
        candidates.begin() + static_cast<std::ptrdiff_t>(std::min(ended, candidates.size()));
    std::partial_sort(
        candidates.begin(), end, candidates.end(), [](const Candidate& a, const Candidate& b) {
            return a.of_peer != b.of_peer ? a.of_peer > b.of_peer : a.waits_since < b.waits_since;
        });
    for (auto at = candidates.begin(); at != end; ++at) at->connection->end_now(Ending::kMadeRoom);
    return end != candidates.begin();
}

void Reactor::look_at(Clock::time_point when) {
    if (when >= look_armed_for_) return;
    look_armed_for_ = when;
    look_timer_.expires_at(when);
    auto on_due = [this](const boost::system::error_code& error) {
        if (!error) look_after_connections();
    };
    look_timer_.async_wait(asio::bind_allocator(operations_.allocator(), on_due));
}

void Reactor::look_after_connections() {
    const Clock::time_point now = Clock::now();
    look_armed_for_ = kNoDeadline;
    Clock::time_point next = kNoDeadline;
    for (const auto& connection : connections_) next = std::min(next, connection->look_after(now));
    look_at(std::max(next, now + look_every_));
}

void Reactor::reap() {
    // Stays set while a closed connection still has calls in the scheduler: its last answer comes
    // by post(), which makes a turn and so brings us here again.
    reap_ = false;
    std::erase_if(connections_, [this](const std::unique_ptr<Connection>& connection) {
        if (!connection->closed()) return false;
        if (!connection->finished()) {
            reap_ = true;
            return false;
        }
        return true;
    });
}

}  // namespace lepton::net
