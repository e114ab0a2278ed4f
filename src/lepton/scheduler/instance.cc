#include "lepton/scheduler/instance.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "lepton/core/check.h"

namespace lepton::scheduler {

Instance::Instance(InstanceOwner& owner,
                   Mutex& mutex,
                   std::size_t index,
                   engine::Session& session,
                   const ModelSpec& spec,
                   const RunLimits& limits)
    : owner_(owner), mutex_(mutex), index_(index), runner_(session, spec, limits) {}

Instance::~Instance() { LEPTON_CHECK(!thread_.joinable()); }

void Instance::hand_over(std::span<InferCall* const> batch) {
    batch_ = batch;
    start_thread();
}

void Instance::look_at(Clock::time_point when) {
    look_at_ = std::min(look_at_, when);
    start_thread();
}

void Instance::start_thread() {
    if (thread_.joinable()) return;
    thread_ = std::thread([this] { serve(); });
    ::pthread_setname_np(thread_.native_handle(), "instance");
}

void Instance::serve() {
    std::span<InferCall* const> batch;
    while (wait_for_work(batch)) {
        if (!batch.empty()) run(batch);
        owner_.on_idle(*this, !batch.empty());
    }
}

bool Instance::wait_for_work(std::span<InferCall* const>& batch) {
    MutexLock lock(mutex_);
    while (batch_.empty() && (look_at_ == kNoDeadline || Clock::now() < look_at_)) {
        if (stop_) return false;
        if (look_at_ == kNoDeadline) {
            wake_.wait(lock.native());
        } else {
            wake_.wait_until(lock.native(), look_at_);
        }
    }
    batch = std::exchange(batch_, {});
    look_at_ = kNoDeadline;
    return true;
}

void Instance::join() {
    {
        const MutexLock lock(mutex_);
        stop_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
}

}  // namespace lepton::scheduler
