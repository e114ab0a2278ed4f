#pragma once

#include <memory>
#include <optional>

#include "lepton/observe/metrics.h"
#include "lepton/scheduler/policy.h"
#include "lepton/scheduler/shared_cores.h"

namespace lepton::scheduler {

// One model's place among those that share the cores of the process: asks for the cores of a run,
// gives them back, and measures how long calls wait for them. Without others everything is granted.
// Not thread-safe, but for wake_next(); the owner serialises.
class CoreSeat {
public:
    // What the run of one instance has. Empty while none is on.
    struct Held {
        std::optional<SharedCores::Run> run;  // None: it needed no grant.
        Clock::duration computed{};           // By the run, so far.
    };
    struct Answer {
        bool granted = true;
        Clock::time_point latest_end = kNoDeadline;  // When a granted run should end, if it can.
        Clock::time_point ask_again = kNoDeadline;   // Not granted: when, at the latest.
    };

    // `cores` null: there are no others.
    CoreSeat(std::shared_ptr<SharedCores> cores,
             double weight,
             int threads,
             int instances,
             observe::DurationHistogram& waits);

    // For the next run of what waits in `policy`, which is not empty. Not granted: `waiter` is told
    // when to ask again. A run that is sure to be shorter than `free_below` needs no grant.
    Answer ask(const Policy& policy,
               Clock::duration free_below,
               std::weak_ptr<CoreWaiter> waiter,
               Clock::time_point now,
               Held& held);
    void expect(const Held& held, Clock::time_point ends);
    void give_back(Held& held);

    void set_weight(double weight);
    // When an idle instance can begin its next run; not after `now`: at once.
    [[nodiscard]] Clock::time_point free_at(Clock::time_point now) const;
    // Of the cores that it has wanted of late, how many it has had; at most 1.
    [[nodiscard]] double usual_share(Clock::time_point now) const;
    // Once no lock is held: tells others of the cores that came free.
    void wake_next();
    // Gives the place up; wakes others, too.
    void leave();

private:
    const std::shared_ptr<SharedCores> cores_;
    SharedCores::Model model_ = 0;
    observe::DurationHistogram& waits_;
    bool asks_ = false;  // The last run was too long to go without asking.
    // Since when calls wait for cores although an instance is idle; kNoDeadline: they do not.
    Clock::time_point since_ = kNoDeadline;
};

}  // namespace lepton::scheduler
