#include "lepton/scheduler/shared_cores.h"

#include <algorithm>
#include <utility>

namespace lepton::scheduler {

SharedCores::Model SharedCores::add(double weight, int threads, int instances) {
    const MutexLock lock(mutex_);
    const Model model = budget_.add(weight, threads);
    places_.resize(std::max(places_.size(), model + 1));
    places_[model].cores = std::max(1, threads) * instances;
    look_at_demand();
    return model;
}

void SharedCores::remove(Model model, Clock::time_point now) {
    {
        const MutexLock lock(mutex_);
        budget_.remove(model);
        places_[model] = {};
        look_at_demand();
        publish();
    }
    wake_next(now);
}

void SharedCores::look_at_demand() {
    int models = 0;
    int wanted = 0;
    for (const Place& place : places_) {
        models += place.cores > 0 ? 1 : 0;
        wanted += place.cores;
    }
    contended_.store(models > 1 && wanted > cores_, std::memory_order_relaxed);
}

void SharedCores::set_weight(Model model, double weight) {
    const MutexLock lock(mutex_);
    budget_.set_weight(model, weight);
}

CoreBudget::Grant SharedCores::ask(Model model,
                                   const Work& work,
                                   Clock::time_point now,
                                   std::weak_ptr<CoreWaiter> waiter) {
    const MutexLock lock(mutex_);
    const CoreBudget::Grant grant = budget_.ask(model, work, now);
    if (!grant.run) places_[model].waiter = std::move(waiter);
    publish();
    return grant;
}

double SharedCores::usual_share(Model model, Clock::time_point now) const {
    const MutexLock lock(mutex_);
    return budget_.usual_share(model, now);
}

void SharedCores::expect(Run run, Clock::time_point ends) {
    const MutexLock lock(mutex_);
    budget_.expect(run, ends);
    publish();
}

void SharedCores::finish(Run run, Clock::duration used) {
    const MutexLock lock(mutex_);
    budget_.finish(run, used);
    publish();
}

void SharedCores::charge(Model model, Clock::duration used) {
    const MutexLock lock(mutex_);
    budget_.charge(model, used);
}

void SharedCores::publish() {
    free_at_.store(budget_.free_at(), std::memory_order_relaxed);
    anyone_waits_.store(budget_.anyone_waits(), std::memory_order_relaxed);
}

// Each is told once before it asks again, so that this ends.
void SharedCores::wake_next(Clock::time_point now) {
    while (anyone_waits()) {
        std::shared_ptr<CoreWaiter> waiter;
        std::optional<Model> model;
        {
            const MutexLock lock(mutex_);
            model = budget_.next(now);
            if (!model) return;
            waiter = places_[*model].waiter.lock();
        }
        if (waiter != nullptr) waiter->on_cores_free();
        const MutexLock lock(mutex_);
        budget_.withdraw_named(*model);
        publish();
    }
}

int SharedCores::in_use() const {
    const MutexLock lock(mutex_);
    return budget_.in_use();
}

}  // namespace lepton::scheduler
