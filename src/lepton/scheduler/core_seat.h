#pragma once

#include <optional>

#include "lepton/scheduler/core_budget.h"
#include "lepton/scheduler/policy.h"

namespace lepton::scheduler {

// The cores that several models share, as one of them sees them; the calls are CoreBudget's.
class Cores {
public:
    // Whether the models may want more cores than there are. If not, nobody has to ask.
    [[nodiscard]] virtual bool contended() const = 0;
    // Not granted: the model is told when to ask again.
    virtual CoreBudget::Grant ask(const Work& work, Clock::time_point now) = 0;
    virtual void expect(CoreBudget::Run run, Clock::time_point ends) = 0;
    virtual void finish(CoreBudget::Run run, Clock::duration used) = 0;
    virtual void charge(Clock::duration used) = 0;
    [[nodiscard]] virtual Clock::time_point free_at() const = 0;
    [[nodiscard]] virtual double usual_share(Clock::time_point now) const = 0;

protected:
    ~Cores() = default;
};

// One model's place among those that share the cores of the process: asks for the cores of a run,
// gives them back, and measures how long calls wait for them. Without others everything is granted.
// Not thread-safe; the owner serialises.
class CoreSeat {
public:
    // What the run of one instance has. Empty while none is on.
    struct Held {
        std::optional<CoreBudget::Run> run;  // None: it needed no grant.
        Clock::duration computed{};          // By the run, so far.
    };
    struct Answer {
        bool granted = true;
        Clock::time_point latest_end = kNoDeadline;  // When a granted run should end, if it can.
        Clock::time_point ask_again = kNoDeadline;   // Not granted: when, at the latest.
        // Granted: for how long calls waited for it although an instance was idle, if they did.
        std::optional<Clock::duration> waited;
    };

    // `cores` null: there are no others.
    explicit CoreSeat(Cores* cores) : cores_(cores) {}

    // For the next run of what waits in `policy`, which is not empty. A run that is sure to be
    // shorter than `free_below` needs no grant.
    Answer ask(const Policy& policy, Clock::duration free_below, Clock::time_point now, Held& held);
    void expect(const Held& held, Clock::time_point ends);
    void give_back(Held& held);

    // When an idle instance can begin its next run; not after `now`: at once.
    [[nodiscard]] Clock::time_point free_at(Clock::time_point now) const;
    // The share that it has had of the cores that it has wanted of late; at most 1.
    [[nodiscard]] double usual_share(Clock::time_point now) const;

private:
    Cores* const cores_;
    bool asks_ = false;  // The last run was too long to go without asking.
    // Since when calls wait for cores although an instance is idle; kNoDeadline: they do not.
    Clock::time_point since_ = kNoDeadline;
};

}  // namespace lepton::scheduler
