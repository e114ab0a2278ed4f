#include "lepton/pipeline/retirement.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace lepton::pipeline {

Retirement::~Retirement() {
    wait_until_empty();
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Retirement::add(SchedulerPtr scheduler) {
    scheduler::ModelScheduler& leaving = *scheduler;
    Entry* entry = nullptr;
    {
        const MutexLock lock(mutex_);
        entry = &entries_.emplace_back(std::move(scheduler));
    }
    // Under the lock to the end, so that whoever waits for the entry does not destroy us meanwhile.
    const auto on_drained = [this, entry] {
        const MutexLock lock(mutex_);
        entry->drained = true;
        changed_.notify_all();
    };
    if (leaving.drain(on_drained)) return end(*entry);
    const MutexLock lock(mutex_);
    if (thread_.joinable()) return;
    thread_ = std::thread([this] { work(); });
    ::pthread_setname_np(thread_.native_handle(), "retirement");
}

void Retirement::work() {
    while (Entry* const entry = next_drained()) end(*entry);
}

Retirement::Entry* Retirement::next_drained() {
    MutexLock lock(mutex_);
    while (true) {
        const auto drained = std::find_if(
            entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.drained; });
        if (drained != entries_.end()) return &*drained;
        if (stopping_) return nullptr;
        changed_.wait(lock.native());
    }
}

void Retirement::end(Entry& entry) {
    entry.scheduler->join();
    const std::vector<std::weak_ptr<scheduler::LoopWork>> scheduled(
        entry.scheduler->loops().begin(), entry.scheduler->loops().end());
    // Mostly the last reference, which frees the model: here, rather than on a loop.
    entry.scheduler.reset();
    const MutexLock lock(mutex_);
    entries_.remove_if([&entry](const Entry& other) { return &other == &entry; });
    scheduled_.insert(scheduled_.end(), scheduled.begin(), scheduled.end());
    std::erase_if(scheduled_, [](const auto& work) { return work.expired(); });
    changed_.notify_all();
}

void Retirement::wait_until_empty() {
    MutexLock lock(mutex_);
    while (!entries_.empty()) changed_.wait(lock.native());
}

void Retirement::abandon() {
    std::vector<SchedulerPtr> leaving;
    {
        const MutexLock lock(mutex_);
        for (const Entry& entry : entries_) {
            if (entry.scheduler != nullptr) leaving.push_back(entry.scheduler);
        }
    }
    for (const SchedulerPtr& scheduler : leaving) scheduler->refuse_queued();
    leaving.clear();
    wait_until_empty();
    const MutexLock lock(mutex_);
    for (const auto& scheduled : scheduled_) {
        if (const auto work = scheduled.lock()) work->forget();
    }
}

}  // namespace lepton::pipeline
