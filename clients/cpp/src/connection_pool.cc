#include "connection_pool.h"

#include <algorithm>
#include <utility>

#include "wake_fd.h"

namespace lepton::client {
namespace {

// A connection that was used this recently is taken without asking the kernel whether the server
// closed it; if it did, the call is made again on another one.
constexpr auto kFresh = std::chrono::milliseconds(10);

}  // namespace

ConnectionPool::ConnectionPool(std::size_t endpoints, std::size_t max_connections, Factory factory)
    : lines_(endpoints), max_connections_(max_connections), factory_(std::move(factory)) {
    for (Line& line : lines_) {
        const MutexLock lock(line.mutex);
        line.idle.reserve(std::min<std::size_t>(max_connections, 64));
    }
}

std::unique_ptr<Connection> ConnectionPool::take(std::size_t endpoint,
                                                 Clock::time_point now,
                                                 bool suspicious,
                                                 PoolWaiter& waiter) {
    Line& line = lines_[endpoint];
    while (true) {
        std::unique_ptr<Connection> idle;
        {
            const MutexLock lock(line.mutex);
            if (!line.claim(waiter, max_connections_)) return nullptr;
            if (!line.idle.empty()) {
                // The one that was used last: the longer the others are idle, the sooner they may
                // be closed.
                idle = std::move(line.idle.back());
                line.idle.pop_back();
            } else {
                ++line.open;
            }
        }
        if (idle == nullptr) break;
        const bool fresh = !suspicious && now - idle->idle_since < kFresh;
        if (fresh || idle->still_open()) return idle;
        const MutexLock lock(line.mutex);
        --line.open;
    }
    opened_.fetch_add(1, std::memory_order_relaxed);
    return factory_(endpoint);
}

// Whether there is a connection, or room to open one, that is promised to nobody else.
bool ConnectionPool::Line::claim(PoolWaiter& waiter, std::size_t max_connections) {
    const bool was_woken = waiter.woken.exchange(false, std::memory_order_relaxed);
    if (was_woken) --promised;
    if (idle.size() + (max_connections - open) > promised) return true;
    // A waiter that was woken and came too late is next.
    if (was_woken) {
        waiters.push_front(&waiter);
    } else {
        waiters.push_back(&waiter);
    }
    waiter.queued = true;
    return false;
}

void ConnectionPool::Line::wake_next() {
    if (waiters.empty()) return;
    PoolWaiter* const waiter = waiters.front();
    waiters.pop_front();
    waiter->queued = false;
    ++promised;
    waiter->woken.store(true, std::memory_order_relaxed);  // The write to the descriptor orders it.
    WakeFd::wake(waiter->wake_fd);
}

void ConnectionPool::give_up(std::size_t endpoint, PoolWaiter& waiter) {
    Line& line = lines_[endpoint];
    const MutexLock lock(line.mutex);
    if (waiter.queued) {
        line.waiters.erase(std::find(line.waiters.begin(), line.waiters.end(), &waiter));
        waiter.queued = false;
    }
    if (waiter.woken.exchange(false, std::memory_order_relaxed)) {
        --line.promised;
        line.wake_next();
    }
}

void ConnectionPool::give_back(std::unique_ptr<Connection> connection,
                               bool keep,
                               Clock::time_point now) {
    Line& line = lines_[connection->endpoint_index()];
    if (!keep) connection->abandon();
    std::unique_ptr<Connection> closed;
    const MutexLock lock(line.mutex);
    if (keep) {
        connection->idle_since = now;
        line.idle.push_back(std::move(connection));
    } else {
        --line.open;
        closed = std::move(connection);
    }
    line.wake_next();
}

}  // namespace lepton::client
