#include "lepton/scheduler/core_seat.h"

#include <algorithm>

namespace lepton::scheduler {
namespace {

// What is usually over before anybody else could use the cores asks for none, although a slow run
// among many takes longer: it would wait for the whole run of a large model.
bool is_short(const Work& work, Clock::duration limit) {
    constexpr int kSlowRun = 4;
    return work.usual <= limit && work.longest <= kSlowRun * limit;
}

}  // namespace

CoreSeat::Answer CoreSeat::ask(const Policy& policy,
                               Clock::duration free_below,
                               Clock::time_point now,
                               Held& held) {
    asks_ = false;
    if (cores_ == nullptr || !cores_->contended()) return {};
    const Work work = policy.work();
    if (is_short(work, free_below)) return {};
    asks_ = true;
    const CoreBudget::Grant grant = cores_->ask(work, now);
    held.run = grant.run;
    Answer answer;
    if (!grant.run) {
        since_ = std::min(since_, now);
        answer.granted = false;
        answer.ask_again = grant.ask_again;
        return answer;
    }
    answer.latest_end = grant.latest_end;
    if (since_ != kNoDeadline) answer.waited = now - since_;
    since_ = kNoDeadline;
    return answer;
}

void CoreSeat::expect(const Held& held, Clock::time_point ends) {
    if (held.run) cores_->expect(*held.run, ends);
}

void CoreSeat::give_back(Held& held) {
    if (held.run) {
        cores_->finish(*held.run, held.computed);
    } else if (held.computed > Clock::duration::zero() && cores_ != nullptr &&
               cores_->contended()) {
        cores_->charge(held.computed);
    }
    held = {};
}

Clock::time_point CoreSeat::free_at(Clock::time_point now) const {
    return asks_ && cores_->contended() ? std::max(now, cores_->free_at()) : now;
}

double CoreSeat::usual_share(Clock::time_point now) const {
    return asks_ && cores_->contended() ? cores_->usual_share(now) : 1.0;
}

}  // namespace lepton::scheduler
