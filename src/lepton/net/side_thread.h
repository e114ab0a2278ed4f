#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <thread>

#include "lepton/core/event_loop.h"
#include "lepton/core/sync.h"

namespace lepton::net {

// A thread for a loop's long pieces of work, see EventLoop::run_aside(). It starts with the first
// one. Thread-safe.
class SideThread {
public:
    SideThread() = default;
    SideThread(const SideThread&) = delete;
    SideThread& operator=(const SideThread&) = delete;
    // Waits for the piece that is being done; the others are never done.
    ~SideThread() { stop(); }

    // The client's pieces are done in their order. A client that has many keeps another waiting for
    // one of them only.
    void run(Task& task, std::uint64_t client);
    void stop();

private:
    void serve();
    Task* take_next() LEPTON_REQUIRES(mutex_);

    Mutex mutex_;
    std::condition_variable wake_;
    // What each client that waits is waiting for.
    std::map<std::uint64_t, TaskList> waiting_ LEPTON_GUARDED_BY(mutex_);
    std::uint64_t latest_ LEPTON_GUARDED_BY(mutex_) = 0;  // The client that had its turn.
    bool stopped_ LEPTON_GUARDED_BY(mutex_) = false;
    std::thread thread_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::net
