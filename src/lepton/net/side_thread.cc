#include "lepton/net/side_thread.h"

#include <pthread.h>

#include <utility>

namespace lepton::net {

void SideThread::run(Task& task, std::uint64_t client) {
    {
        const MutexLock lock(mutex_);
        if (stopped_) return;
        waiting_[client].push(task);
        if (!thread_.joinable()) {
            thread_ = std::thread([this] { serve(); });
            ::pthread_setname_np(thread_.native_handle(), "beside");
        }
    }
    wake_.notify_one();
}

void SideThread::stop() {
    std::thread thread;
    {
        const MutexLock lock(mutex_);
        stopped_ = true;
        thread = std::move(thread_);
    }
    wake_.notify_one();
    if (thread.joinable()) thread.join();
}

void SideThread::serve() {
    while (true) {
        Task* next = nullptr;
        {
            MutexLock lock(mutex_);
            while (waiting_.empty() && !stopped_) wake_.wait(lock.native());
            if (stopped_) return;
            next = take_next();
        }
        next->run();
    }
}

// The work of the client that comes behind the latest one.
Task* SideThread::take_next() {
    auto client = waiting_.upper_bound(latest_);
    if (client == waiting_.end()) client = waiting_.begin();
    latest_ = client->first;
    Task* task = client->second.pop();
    if (client->second.empty()) waiting_.erase(client);
    return task;
}

}  // namespace lepton::net
