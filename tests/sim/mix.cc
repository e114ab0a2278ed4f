#include "sim/mix.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "lepton/scheduler/core_budget.h"
#include "lepton/scheduler/dispatcher.h"

namespace lepton::sim {
namespace {

using scheduler::CoreBudget;
using scheduler::Refused;

constexpr Clock::time_point kBegin{std::chrono::hours(1)};

Clock::duration times(Clock::duration time, double factor) {
    return Clock::duration(std::llround(static_cast<double>(time.count()) * factor));
}

// One model's place among those that share the cores, without the locks of the product's.
class Seat final : public scheduler::Cores {
public:
    Seat(CoreBudget& budget, double weight, bool contended)
        : budget_(budget), model_(budget.add(weight, 1)), contended_(contended) {}

    [[nodiscard]] CoreBudget::Model model() const { return model_; }
    [[nodiscard]] bool contended() const override { return contended_; }
    CoreBudget::Grant ask(const scheduler::Work& work, Clock::time_point now) override {
        return budget_.ask(model_, work, now);
    }
    void expect(CoreBudget::Run run, Clock::time_point ends) override { budget_.expect(run, ends); }
    void finish(CoreBudget::Run run, Clock::duration used) override { budget_.finish(run, used); }
    void charge(Clock::duration used) override { budget_.charge(model_, used); }
    [[nodiscard]] Clock::time_point free_at() const override { return budget_.free_at(); }
    [[nodiscard]] double usual_share(Clock::time_point now) const override {
        return budget_.usual_share(model_, now);
    }

private:
    CoreBudget& budget_;
    const CoreBudget::Model model_;
    const bool contended_;
};

struct Run {
    bool on = false;
    std::int64_t rows = 0;
    Clock::time_point began;
    Clock::duration left{};  // On a core of its own.
};

struct Player {
    Player(const MixedModel& of, CoreBudget& budget, bool contended, Clock::time_point now)
        : model(of),
          seat(budget, of.queue.weight, contended),
          dispatcher({.model = of.curve.name,
                      .queue = of.queue,
                      .service_times = of.curve.times,
                      .max_rows = of.max_rows,
                      .instances = static_cast<std::size_t>(of.instances)},
                     &seat,
                     now),
          calls(std::make_unique<InferCall[]>(of.arrivals.size())),
          runs(static_cast<std::size_t>(of.instances)) {
        outcome.records.resize(of.arrivals.size());
    }
    [[nodiscard]] Clock::time_point next_arrival() const {
        return next < model.arrivals.size() ? kBegin + model.arrivals[next].at : kNoDeadline;
    }

    const MixedModel& model;
    Seat seat;
    scheduler::Dispatcher dispatcher;
    std::unique_ptr<InferCall[]> calls;
    std::vector<Run> runs;  // By instance.
    std::size_t next = 0;
    Clock::time_point look_at = kNoDeadline;
    Outcome outcome;
    Clock::duration cpu{};
};

class MixSimulation {
public:
    explicit MixSimulation(const Mix& mix) : mix_(mix), budget_(mix.cores), random_(mix.seed) {
        for (const MixedModel& model : mix.models) {
            players_.push_back(std::make_unique<Player>(model, budget_, mix.budget, kBegin));
        }
        measured_until_ = kBegin + mix.models.front().arrivals.back().at;
    }

    MixOutcome play() {
        while (true) {
            const Clock::time_point next = next_event();
            if (next == kNoDeadline) break;
            advance_to(next);
            for (const auto& player : players_) {
                if (end_runs(*player) || arrive(*player) || player->look_at <= now_) {
                    offer(*player);
                }
            }
            while (const auto model = budget_.next(now_)) {
                offer(player_of(*model));
                budget_.withdraw_named(*model);
            }
        }
        MixOutcome outcome;
        for (const auto& player : players_) {
            player->outcome.length = player->model.arrivals.back().at;
            outcome.models.push_back(std::move(player->outcome));
            outcome.cpu.push_back(player->cpu);
        }
        outcome.most_cores = most_cores_;
        return outcome;
    }

private:
    // What a run gets of a core.
    [[nodiscard]] double speed() const {
        return std::min(1.0, static_cast<double>(mix_.cores) / std::max(1, running_));
    }

    [[nodiscard]] Clock::time_point next_event() const {
        Clock::time_point next = kNoDeadline;
        for (const auto& player : players_) {
            next = std::min({next, player->next_arrival(), player->look_at});
            for (const Run& run : player->runs) {
                if (run.on) next = std::min(next, now_ + times(run.left, 1 / speed()));
            }
        }
        return next == kNoDeadline ? next : std::max(next, now_);
    }

    void advance_to(Clock::time_point time) {
        const Clock::duration done = times(time - now_, speed());
        for (const auto& player : players_) {
            for (Run& run : player->runs) {
                if (!run.on) continue;
                if (time <= measured_until_) player->cpu += std::min(done, run.left);
                run.left -= std::min(done, run.left);
                if (run.left < std::chrono::nanoseconds(2)) run.left = {};
            }
        }
        now_ = time;
    }

    Player& player_of(CoreBudget::Model model) {
        return **std::find_if(players_.begin(), players_.end(), [model](const auto& player) {
            return player->seat.model() == model;
        });
    }

    bool end_runs(Player& player) {
        bool any = false;
        for (std::size_t instance = 0; instance < player.runs.size(); ++instance) {
            Run& run = player.runs[instance];
            if (!run.on || run.left > Clock::duration::zero()) continue;
            any = true;
            --running_;
            run.on = false;
            player.dispatcher.ran(instance, run.rows, now_ - run.began, now_);
            for (InferCall* call : player.dispatcher.batch_of(instance)) {
                const bool in_time = now_ <= call->request.deadline;
                if (call->request.deadline != kNoDeadline) player.dispatcher.answered(in_time);
                settle(player, *call, in_time ? Fate::kInTime : Fate::kLate);
            }
            player.dispatcher.release(instance);
        }
        return any;
    }

    bool arrive(Player& player) {
        bool any = false;
        while (player.next_arrival() <= now_) {
            any = true;
            const Arrival& arrival = player.model.arrivals[player.next];
            InferCall& call = player.calls[player.next];
            call.rows = arrival.rows;
            call.request.priority = arrival.priority;
            if (arrival.timeout > Clock::duration::zero()) {
                call.request.deadline = now_ + arrival.timeout;
            }
            if (player.dispatcher.admit(call, now_, refused_)) {
                player.outcome.records[player.next].admitted = true;
                ++player.outcome.admitted;
            } else {
                settle(player, call, Fate::kRefused);
            }
            ++player.next;
        }
        settle_refused(player);
        return any;
    }

    // Gives its idle instances what waits, as far as there are cores.
    void offer(Player& player) {
        while (true) {
            const scheduler::Dispatcher::Next next = player.dispatcher.next(now_, refused_);
            settle_refused(player);
            player.look_at = next.look_at;
            if (!next.instance) return;
            start(player, *next.instance);
        }
    }

    void start(Player& player, std::size_t instance) {
        Run& run = player.runs[instance];
        run.on = true;
        run.rows = 0;
        for (const InferCall* call : player.dispatcher.batch_of(instance)) {
            run.rows += call->rows;
            record_of(player, *call).started = now_ - kBegin;
        }
        run.began = now_;
        const double noise = std::exp(player.model.curve.noise * normal_(random_));
        run.left = times(player.model.curve.of(run.rows), noise);
        most_cores_ = std::max(most_cores_, ++running_);
        ++player.outcome.runs;
        player.outcome.rows_run += run.rows;
    }

    void settle_refused(Player& player) {
        for (const Refused& refused : refused_) settle(player, *refused.call, Fate::kRefused);
        refused_.clear();
    }

    void settle(Player& player, InferCall& call, Fate fate) {
        Record& record = record_of(player, call);
        record.fate = fate;
        record.finished = now_ - kBegin;
        ++record.outcomes;
        player.outcome.in_time += fate == Fate::kInTime ? 1 : 0;
        player.outcome.late += fate == Fate::kLate ? 1 : 0;
        player.outcome.refused += fate == Fate::kRefused ? 1 : 0;
    }

    static Record& record_of(Player& player, const InferCall& call) {
        return player.outcome.records[static_cast<std::size_t>(&call - player.calls.get())];
    }

    const Mix& mix_;
    CoreBudget budget_;
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
    std::vector<std::unique_ptr<Player>> players_;
    std::vector<Refused> refused_;
    Clock::time_point now_ = kBegin;
    Clock::time_point measured_until_;
    int running_ = 0;
    int most_cores_ = 0;
};

}  // namespace

MixOutcome simulate(const Mix& mix) { return MixSimulation(mix).play(); }

Clock::duration latency_at(const MixedModel& model, const Outcome& outcome, double share) {
    std::vector<Clock::duration> latencies;
    for (std::size_t i = 0; i < model.arrivals.size(); ++i) {
        const Record& record = outcome.records[i];
        if (record.fate == Fate::kRefused) continue;
        latencies.push_back(record.finished - model.arrivals[i].at);
    }
    if (latencies.empty()) return {};
    const auto place = static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1));
    std::nth_element(
        latencies.begin(), latencies.begin() + static_cast<std::ptrdiff_t>(place), latencies.end());
    return latencies[place];
}

}  // namespace lepton::sim
