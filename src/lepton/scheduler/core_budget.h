#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lepton/core/clock.h"

namespace lepton::scheduler {

// What waits for cores in a model that asks for some.
struct Work {
    // When its most urgent call has to be started to be in time; kNoDeadline when none has one.
    Clock::time_point latest_start = kNoDeadline;
    Clock::duration shortest{};  // The smallest run that serves that call.
    Clock::duration longest{};   // A run of all that waits, as far as one run may go.
    Clock::duration usual{};     // The same as it usually is, where `longest` is at worst.

    // Of the calls that came lately: the least time that one with a deadline could wait, zero when
    // none had one; the mean time between them, and when the last one came.
    Clock::duration foreseen_slack{};
    Clock::duration foreseen_gap{};
    Clock::time_point last_arrival{};
};

// Gives the cores of the process to the runs of several models, so that no more threads compute
// than there are cores. Who goes first when they do not suffice for all:
//
// 1. Models with a call that would be late if any other went first: least laxity first.
// 2. Otherwise the one that has used least CPU time for its weight: start-time fair queueing over
//    several servers (Goyal et al., SIGCOMM 1996; Jin et al., SIGMETRICS 2004). A model that was
//    idle may catch up on kSavedUp at most, and urgency gives way once it has taken kMostAhead more
//    than others that wait, so that nothing starves.
//
// A run cannot be interrupted, so one that might be in another model's way ends before that
// model's latest start, if the batch can be made small enough: for calls that wait, and for calls
// that are likely to come during the run. A run that is too long even with its smallest batch does
// not take the last cores while it can wait for others.
//
// A state machine without threads or clock, like Policy. Not thread-safe; the owner serialises.
class CoreBudget {
public:
    using Model = std::size_t;
    using Run = std::size_t;

    static constexpr Clock::duration kSavedUp = std::chrono::milliseconds(100);
    static constexpr Clock::duration kMostAhead = std::chrono::milliseconds(400);
    static constexpr Clock::duration kLongestHold = std::chrono::seconds(1);

    struct Grant {
        std::optional<Run> run;                      // None: the model waits.
        Clock::time_point latest_end = kNoDeadline;  // When it should end, if it can.
        Clock::time_point ask_again = kNoDeadline;   // Without a run: when, at the latest.
    };

    explicit CoreBudget(int cores) : cores_(cores), free_(cores) {}

    // `threads`: of each run.
    Model add(double weight, int threads);
    void remove(Model model);
    void set_weight(Model model, double weight) { models_[model].weight = weight; }

    // Takes the cores for one run, or leaves the model waiting for them.
    Grant ask(Model model, const Work& work, Clock::time_point now);
    // It wants none any more.
    void withdraw(Model model) { models_[model].waiting = false; }
    // The same for one that next() named and that has not asked since.
    void withdraw_named(Model model) {
        if (models_[model].named) withdraw(model);
    }
    // Of the cores that the model has wanted of late, how many it has had.
    [[nodiscard]] double usual_share(Model model, Clock::time_point now) const;
    // Of a granted run, once its batch is known.
    void expect(Run run, Clock::time_point ends) { runs_[run].ends = ends; }
    // Gives its cores back; `used`: how long it computed.
    void finish(Run run, Clock::duration used);
    // A run that needed no grant, on one thread.
    void charge(Model model, Clock::duration used);

    // Who would be granted a run if it asked now; not those of whom this was said already, until
    // they asked again.
    [[nodiscard]] std::optional<Model> next(Clock::time_point now);

    [[nodiscard]] bool anyone_waits() const;
    [[nodiscard]] int cores() const { return cores_; }
    [[nodiscard]] int in_use() const { return cores_ - free_; }
    // When a core is free, as predicted; not after `now`: one is.
    [[nodiscard]] Clock::time_point free_at() const;

private:
    struct ModelState {
        double weight = 1;
        int threads = 1;
        bool present = true;
        bool waiting = false;
        bool named = false;       // By next().
        bool dealt = false;       // Has been given cores in this deal().
        double start_tag = 0;     // CPU nanoseconds by weight, of its next run.
        Clock::time_point since;  // When it began to wait.
        int running = 0;          // Runs that are on.
        // Of usual_share(): as it was when it asked, and what it has of what it wants while it
        // waits.
        double share = 1;
        double has = 1;
        Clock::time_point asked;
        Work work;
    };
    struct RunState {
        Model model = 0;
        int cores = 0;  // 0: not in use.
        Clock::duration charged{};
        Clock::time_point ends;
    };
    struct Place {  // In the order in which those that wait are served.
        Model model = 0;
        bool urgent = false;
    };
    struct Verdict {
        bool granted = false;
        Clock::time_point latest_end = kNoDeadline;
        Clock::time_point ask_again = kNoDeadline;
    };

    void line_up(Clock::time_point now);
    [[nodiscard]] bool goes_before(const Place& a, const Place& b) const;
    // Deals the free cores out in that order, until `done(model, verdict)` says so.
    template <typename Done>
    void deal(Clock::time_point now, Done done);
    void guard(Model model, int free, Clock::time_point now, Verdict& verdict) const;
    [[nodiscard]] Clock::time_point latest_start(Model model,
                                                 Clock::duration during,
                                                 Clock::time_point now) const;
    [[nodiscard]] Clock::time_point when_free(int wanted, int free, Clock::time_point now) const;
    void add_charge(ModelState& model, Clock::duration time, int cores);
    Run new_run(const RunState& run);

    const int cores_;
    int free_;
    double now_serving_ = 0;  // Start tag of the run that was granted last: the virtual time.
    std::vector<ModelState> models_;
    std::vector<RunState> runs_;
    std::vector<Place> order_;
};

}  // namespace lepton::scheduler
