#include "lepton/scheduler/core_budget.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lepton::scheduler {
namespace {

// A call is expected during a run when, at the rate of late, one comes with about this chance.
constexpr int kRunsPerCall = 10;
constexpr Clock::duration kShareHalves = std::chrono::milliseconds(250);

double nanoseconds(Clock::duration time) { return static_cast<double>(time.count()); }

}  // namespace

CoreBudget::Model CoreBudget::add(double weight, int threads) {
    ModelState state;
    state.weight = weight;
    state.threads = std::clamp(threads, 1, cores_);
    state.start_tag = now_serving_;
    const auto unused = std::find_if(
        models_.begin(), models_.end(), [](const ModelState& model) { return !model.present; });
    if (unused == models_.end()) {
        models_.push_back(state);
        order_.reserve(models_.size());
        return models_.size() - 1;
    }
    *unused = state;
    return static_cast<Model>(unused - models_.begin());
}

void CoreBudget::remove(Model model) {
    models_[model].present = false;
    models_[model].waiting = false;
}

CoreBudget::Grant CoreBudget::ask(Model model, const Work& work, Clock::time_point now) {
    ModelState& state = models_[model];
    state.share = usual_share(model, now);
    state.asked = now;
    if (!state.waiting) {
        state.since = now;
        state.start_tag = std::max(state.start_tag, now_serving_ - nanoseconds(kSavedUp));
    }
    state.waiting = true;
    state.named = false;
    state.work = work;
    Verdict verdict;
    deal(now, [&](Model turn, const Verdict& of_turn) {
        if (turn == model) verdict = of_turn;
        return turn == model;
    });
    state.has = static_cast<double>(state.running) / (state.running + 1);
    if (!verdict.granted) {
        return {.run = std::nullopt, .latest_end = kNoDeadline, .ask_again = verdict.ask_again};
    }
    state.waiting = false;
    ++state.running;
    now_serving_ = std::max(now_serving_, state.start_tag);
    add_charge(state, work.shortest, state.threads);
    free_ -= state.threads;
    return {.run = new_run({.model = model,
                            .cores = state.threads,
                            .charged = work.shortest,
                            .ends = now + work.shortest}),
            .latest_end = verdict.latest_end,
            .ask_again = kNoDeadline};
}

double CoreBudget::usual_share(Model model, Clock::time_point now) const {
    const ModelState& state = models_[model];
    const double has = state.waiting ? state.has : 1;
    const double before = std::exp2(-nanoseconds(now - state.asked) / nanoseconds(kShareHalves));
    return has + (state.share - has) * before;
}

CoreBudget::Run CoreBudget::new_run(const RunState& run) {
    const auto unused = std::find_if(
        runs_.begin(), runs_.end(), [](const RunState& other) { return other.cores == 0; });
    if (unused != runs_.end()) {
        *unused = run;
        return static_cast<Run>(unused - runs_.begin());
    }
    runs_.push_back(run);
    return runs_.size() - 1;
}

void CoreBudget::finish(Run run, Clock::duration used) {
    RunState& state = runs_[run];
    add_charge(models_[state.model], used - state.charged, state.cores);
    free_ += state.cores;
    --models_[state.model].running;
    state.cores = 0;
}

void CoreBudget::charge(Model model, Clock::duration used) {
    ModelState& state = models_[model];
    state.start_tag = std::max(state.start_tag, now_serving_ - nanoseconds(kSavedUp));
    add_charge(state, used, 1);
}

void CoreBudget::add_charge(ModelState& model, Clock::duration time, int cores) {
    model.start_tag += nanoseconds(time) * cores / model.weight;
}

std::optional<CoreBudget::Model> CoreBudget::next(Clock::time_point now) {
    if (free_ == 0) return std::nullopt;
    std::optional<Model> found;
    deal(now, [&](Model turn, const Verdict& verdict) {
        if (!verdict.granted || models_[turn].named) return false;
        found = turn;
        return true;
    });
    if (found) models_[*found].named = true;
    return found;
}

bool CoreBudget::anyone_waits() const {
    return std::any_of(
        models_.begin(), models_.end(), [](const ModelState& model) { return model.waiting; });
}

Clock::time_point CoreBudget::free_at() const {
    return when_free(1, free_, Clock::time_point::min());
}

template <typename Done>
void CoreBudget::deal(Clock::time_point now, Done done) {
    line_up(now);
    int free = free_;
    Clock::time_point reserved = kNoDeadline;  // From when on the cores are somebody's.
    for (const Place& place : order_) {
        ModelState& state = models_[place.model];
        Verdict verdict{.latest_end = reserved};
        if (state.threads > free) {
            // It is its turn, but it needs more cores than are free: others may use them until
            // then.
            reserved = std::min(reserved, when_free(state.threads, free, now));
        } else if (now + state.work.shortest <= reserved) {
            verdict.granted = true;
            guard(place.model, free - state.threads, now, verdict);
        }
        if (done(place.model, verdict)) return;
        state.dealt = verdict.granted;
        if (verdict.granted) free -= state.threads;
    }
}

// A model is urgent when a run of any other that waits, put first, would make it late.
void CoreBudget::line_up(Clock::time_point now) {
    order_.clear();
    Clock::duration longest{};
    Clock::duration second_longest{};
    double least = std::numeric_limits<double>::max();
    for (Model model = 0; model < models_.size(); ++model) {
        ModelState& state = models_[model];
        state.dealt = false;
        if (!state.waiting) continue;
        order_.push_back({.model = model});
        least = std::min(least, state.start_tag);
        second_longest = std::max(second_longest, std::min(longest, state.work.shortest));
        longest = std::max(longest, state.work.shortest);
    }
    for (Place& place : order_) {
        const ModelState& state = models_[place.model];
        const Clock::duration others = state.work.shortest == longest ? second_longest : longest;
        place.urgent = state.work.latest_start != kNoDeadline &&
                       state.work.latest_start <= now + others &&
                       state.start_tag - least <= nanoseconds(kMostAhead);
    }
    std::sort(order_.begin(), order_.end(), [this](const Place& a, const Place& b) {
        return goes_before(a, b);
    });
}

bool CoreBudget::goes_before(const Place& a, const Place& b) const {
    if (a.urgent != b.urgent) return a.urgent;
    const ModelState& first = models_[a.model];
    const ModelState& second = models_[b.model];
    if (a.urgent && first.work.latest_start != second.work.latest_start) {
        return first.work.latest_start < second.work.latest_start;
    }
    if (first.start_tag != second.start_tag) return first.start_tag < second.start_tag;
    return a.model < b.model;
}

// When a call of the model has to be started that waits, or that may come while a run of `during`
// is on.
Clock::time_point CoreBudget::latest_start(Model model,
                                           Clock::duration during,
                                           Clock::time_point now) const {
    const ModelState& state = models_[model];
    const Work& work = state.work;
    const Clock::time_point waits = state.waiting ? work.latest_start : kNoDeadline;
    const Clock::duration gap = std::max(work.foreseen_gap, now - work.last_arrival);
    const bool expected = work.foreseen_slack > Clock::duration::zero() &&
                          gap <= std::min<Clock::duration>(during * kRunsPerCall, kLongestHold);
    return expected ? std::min(waits, now + work.foreseen_slack) : waits;
}

// `free`: cores that are left once the model has its own.
void CoreBudget::guard(Model model, int free, Clock::time_point now, Verdict& verdict) const {
    const ModelState& state = models_[model];
    Clock::time_point last_cores = kNoDeadline;
    for (Model other = 0; other < models_.size(); ++other) {
        if (other == model || !models_[other].present || models_[other].dealt) continue;
        const int wanted = models_[other].threads;
        const auto in_the_way = [&](Clock::time_point start) {
            return start > now && start != kNoDeadline && when_free(wanted, free, now) > start;
        };
        const Clock::time_point start = latest_start(other, state.work.longest, now);
        if (in_the_way(start)) verdict.latest_end = std::min(verdict.latest_end, start);
        const Clock::time_point soon = latest_start(other, state.work.shortest, now);
        if (in_the_way(soon)) last_cores = std::min(last_cores, soon);
    }
    if (now + state.work.shortest <= last_cores) return;
    // Too long in any case. It can wait as long as something else runs, after which it may.
    const Clock::time_point until = std::min(state.work.latest_start, state.since + kLongestHold);
    if (free_ == cores_ || now >= until) return;
    verdict.granted = false;
    verdict.ask_again = until;
}

// When `wanted` cores are free, as predicted; `free` are now.
Clock::time_point CoreBudget::when_free(int wanted, int free, Clock::time_point now) const {
    if (wanted <= free) return now;
    // Few runs: the one that ends next, until they suffice.
    Clock::time_point at = Clock::time_point::min();
    while (true) {
        Clock::time_point next = kNoDeadline;
        for (const RunState& run : runs_) {
            if (run.cores > 0 && run.ends > at) next = std::min(next, run.ends);
        }
        if (next == kNoDeadline) return kNoDeadline;
        for (const RunState& run : runs_) {
            if (run.cores > 0 && run.ends == next) free += run.cores;
        }
        at = next;
        if (wanted <= free) return std::max(now, at);
    }
}

}  // namespace lepton::scheduler
