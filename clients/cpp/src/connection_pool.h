#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "connection.h"
#include "lepton/core/clock.h"
#include "lepton/core/sync.h"

namespace lepton::client {

// An attempt that found every connection of its endpoint busy.
struct PoolWaiter {
    int wake_fd = -1;                // Made readable when it is its turn,
    std::atomic<bool> woken{false};  // which this says.
    bool queued = false;             // The pool's own note.
};

// The idle connections of a client, by endpoint, and the number of all. Calls that wait for a
// connection get one in the order in which they came. Thread-safe.
class ConnectionPool {
public:
    using Factory = std::function<std::unique_ptr<Connection>(std::size_t endpoint)>;

    // Precondition: max_connections > 0; it holds for each endpoint.
    ConnectionPool(std::size_t endpoints, std::size_t max_connections, Factory factory);

    // Returns an idle connection that is still open, or a new one that is not connected yet. Null
    // when all are busy: `waiter` is then woken when it is its turn to take again, or gives up.
    // `suspicious` says that the last one was found closed, so that each is checked.
    std::unique_ptr<Connection> take(std::size_t endpoint,
                                     Clock::time_point now,
                                     bool suspicious,
                                     PoolWaiter& waiter);
    void give_up(std::size_t endpoint, PoolWaiter& waiter);

    // Every connection comes back; it is closed unless `keep` is true.
    void give_back(std::unique_ptr<Connection> connection, bool keep, Clock::time_point now);

    [[nodiscard]] std::uint64_t opened() const { return opened_.load(std::memory_order_relaxed); }

private:
    struct Line {
        Mutex mutex;
        std::vector<std::unique_ptr<Connection>> idle LEPTON_GUARDED_BY(mutex);
        std::size_t open LEPTON_GUARDED_BY(mutex) = 0;  // Idle and taken.
        std::deque<PoolWaiter*> waiters LEPTON_GUARDED_BY(mutex);
        // Woken callers that have not come back yet.
        std::size_t promised LEPTON_GUARDED_BY(mutex) = 0;

        bool claim(PoolWaiter& waiter, std::size_t max_connections) LEPTON_REQUIRES(mutex);
        void wake_next() LEPTON_REQUIRES(mutex);
    };

    std::vector<Line> lines_;
    std::size_t max_connections_;
    Factory factory_;
    std::atomic<std::uint64_t> opened_{0};  // Relaxed: it is only a count.
};

}  // namespace lepton::client
