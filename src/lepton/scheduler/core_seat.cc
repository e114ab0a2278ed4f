#include "lepton/scheduler/core_seat.h"

#include <algorithm>
#include <utility>

namespace lepton::scheduler {
namespace {

// What is usually over before anybody else could use the cores asks for none, although a slow run
// among many takes longer: it would wait for the whole run of a large model.
bool is_short(const Work& work, Clock::duration limit) {
    constexpr int kSlowRun = 4;
    return work.usual <= limit && work.longest <= kSlowRun * limit;
}

}  // namespace

CoreSeat::CoreSeat(std::shared_ptr<SharedCores> cores,
                   double weight,
                   int threads,
                   int instances,
                   observe::DurationHistogram& waits)
    : cores_(std::move(cores)), waits_(waits) {
    if (cores_ != nullptr) model_ = cores_->add(weight, threads, instances);
}

CoreSeat::Answer CoreSeat::ask(const Policy& policy,
                               Clock::duration free_below,
                               std::weak_ptr<CoreWaiter> waiter,
                               Clock::time_point now,
                               Held& held) {
    asks_ = false;
    if (cores_ == nullptr || !cores_->contended()) return {};
    const Work work = policy.work();
    if (is_short(work, free_below)) return {};
    asks_ = true;
    const CoreBudget::Grant grant = cores_->ask(model_, work, now, std::move(waiter));
    held.run = grant.run;
    if (!grant.run) {
        since_ = std::min(since_, now);
        return {.granted = false, .latest_end = kNoDeadline, .ask_again = grant.ask_again};
    }
    if (since_ != kNoDeadline) waits_.observe(now - since_);
    since_ = kNoDeadline;
    return {.granted = true, .latest_end = grant.latest_end, .ask_again = kNoDeadline};
}

void CoreSeat::expect(const Held& held, Clock::time_point ends) {
    if (held.run) cores_->expect(*held.run, ends);
}

void CoreSeat::give_back(Held& held) {
    if (held.run) {
        cores_->finish(*held.run, held.computed);
    } else if (held.computed > Clock::duration::zero() && cores_ != nullptr &&
               cores_->contended()) {
        cores_->charge(model_, held.computed);
    }
    held = {};
}

void CoreSeat::set_weight(double weight) {
    if (cores_ != nullptr) cores_->set_weight(model_, weight);
}

Clock::time_point CoreSeat::free_at(Clock::time_point now) const {
    return asks_ && cores_->contended() ? std::max(now, cores_->free_at()) : now;
}

double CoreSeat::usual_share(Clock::time_point now) const {
    return asks_ && cores_->contended() ? cores_->usual_share(model_, now) : 1.0;
}

void CoreSeat::wake_next() {
    if (cores_ != nullptr) cores_->wake_next();
}

void CoreSeat::leave() {
    if (cores_ != nullptr) cores_->remove(model_);
}

}  // namespace lepton::scheduler
