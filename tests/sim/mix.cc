#include "sim/mix.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <random>

#include "lepton/scheduler/core_budget.h"
#include "lepton/scheduler/policy.h"

namespace lepton::sim {
namespace {

using scheduler::CoreBudget;
using scheduler::Moment;
using scheduler::Refused;

constexpr Clock::time_point kBegin{std::chrono::hours(1)};

Clock::duration times(Clock::duration time, double factor) {
    return Clock::duration(std::llround(static_cast<double>(time.count()) * factor));
}

struct Instance {
    std::vector<InferCall*> batch;  // Empty while idle.
    std::int64_t rows = 0;
    int active = 1;
    Clock::time_point began;
    Clock::time_point predicted;
    Clock::duration left{};  // On a core of its own.
    std::optional<CoreBudget::Run> cores;
    scheduler::LatencyModel* latency = nullptr;
};

struct Player {
    Player(const MixedModel& of, Clock::time_point now)
        : model(of),
          policy(scheduler::make_policy(of.queue, of.max_rows, of.curve.times, now)),
          calls(std::make_unique<InferCall[]>(of.arrivals.size())),
          instances(static_cast<std::size_t>(of.instances)),
          free_at(instances.size()) {
        outcome.records.resize(of.arrivals.size());
    }
    [[nodiscard]] Clock::time_point next_arrival() const {
        return next < model.arrivals.size() ? kBegin + model.arrivals[next].at : kNoDeadline;
    }
    [[nodiscard]] Clock::time_point expiry() const {
        return policy->empty() ? kNoDeadline : policy->earliest_expiry();
    }

    const MixedModel& model;
    std::unique_ptr<scheduler::Policy> policy;
    std::unique_ptr<InferCall[]> calls;
    std::vector<Instance> instances;
    std::vector<Clock::time_point> free_at;
    std::size_t next = 0;
    Clock::time_point look_at = kNoDeadline;
    CoreBudget::Model seat = 0;
    Outcome outcome;
    Clock::duration cpu{};
};

class MixSimulation {
public:
    explicit MixSimulation(const Mix& mix) : mix_(mix), budget_(mix.cores), random_(mix.seed) {
        players_.reserve(mix.models.size());
        for (const MixedModel& model : mix.models) {
            players_.emplace_back(model, kBegin);
            players_.back().seat = budget_.add(model.queue.weight, 1);
        }
        measured_until_ = kBegin + mix.models.front().arrivals.back().at;
    }

    MixOutcome play() {
        while (true) {
            const Clock::time_point next = next_event();
            if (next == kNoDeadline) break;
            advance_to(next);
            for (Player& player : players_) {
                const bool touched = end_runs(player) || arrive(player) || player.look_at <= now_;
                if (player.expiry() <= now_) player.policy->expire(now_, refused_);
                settle_refused(player);
                if (touched) offer(player);
            }
            while (const auto seat = budget_.next(now_)) {
                offer(players_[*seat]);
                budget_.withdraw_named(*seat);
            }
        }
        MixOutcome outcome;
        for (Player& player : players_) {
            player.outcome.length = player.model.arrivals.back().at;
            outcome.models.push_back(std::move(player.outcome));
            outcome.cpu.push_back(player.cpu);
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
        for (const Player& player : players_) {
            next = std::min({next, player.next_arrival(), player.expiry(), player.look_at});
            for (const Instance& instance : player.instances) {
                if (instance.batch.empty()) continue;
                next = std::min(next, now_ + times(instance.left, 1 / speed()));
            }
        }
        return next == kNoDeadline ? next : std::max(next, now_);
    }

    void advance_to(Clock::time_point time) {
        const Clock::duration done = times(time - now_, speed());
        for (Player& player : players_) {
            for (Instance& instance : player.instances) {
                if (instance.batch.empty()) continue;
                if (time <= measured_until_) player.cpu += std::min(done, instance.left);
                instance.left -= std::min(done, instance.left);
                if (instance.left < std::chrono::nanoseconds(2)) instance.left = {};
            }
        }
        now_ = time;
    }

    bool end_runs(Player& player) {
        bool any = false;
        for (Instance& instance : player.instances) {
            if (instance.batch.empty() || instance.left > Clock::duration::zero()) continue;
            any = true;
            --running_;
            instance.latency->observe(instance.rows, now_ - instance.began, now_, instance.active);
            if (instance.cores) budget_.finish(*instance.cores, now_ - instance.began);
            instance.cores.reset();
            for (InferCall* call : instance.batch) {
                const bool in_time = now_ <= call->request.deadline;
                if (call->request.deadline != kNoDeadline) player.policy->answered(in_time);
                settle(player, *call, in_time ? Fate::kInTime : Fate::kLate);
            }
            instance.batch.clear();
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
            if (player.policy->admit(call, moment(player, !mix_.budget), refused_)) {
                player.outcome.records[player.next].admitted = true;
                ++player.outcome.admitted;
            } else {
                settle(player, call, Fate::kRefused);
            }
            ++player.next;
        }
        return any;
    }

    Moment moment(Player& player, bool with_cores) {
        for (std::size_t i = 0; i < player.instances.size(); ++i) {
            const Clock::time_point soon = now_ + std::chrono::nanoseconds(1);
            const Instance& instance = player.instances[i];
            const auto idle = with_cores ? now_ : std::max(now_, budget_.free_at());
            player.free_at[i] = instance.batch.empty() ? idle : std::max(instance.predicted, soon);
        }
        const double share = mix_.budget ? budget_.usual_share(player.seat, now_) : 1.0;
        return {now_, player.free_at, share};
    }

    // Gives its idle instances what waits, as far as there are cores.
    void offer(Player& player) {
        player.look_at = kNoDeadline;
        for (Instance& instance : player.instances) {
            if (!instance.batch.empty()) continue;
            if (player.policy->empty()) return;
            Moment at = moment(player, true);
            std::optional<CoreBudget::Run> cores;
            if (mix_.budget) {
                const auto grant = budget_.ask(player.seat, player.policy->work(), now_);
                if (!grant.run) {
                    player.look_at = grant.ask_again;
                    return;
                }
                cores = grant.run;
                at.latest_end = grant.latest_end;
            }
            player.look_at = player.policy->next_batch(at, instance.batch, refused_);
            settle_refused(player);
            if (instance.batch.empty()) {
                if (cores) budget_.finish(*cores, {});
                return;
            }
            start(player, instance, at, cores);
        }
    }

    void start(Player& player,
               Instance& instance,
               const Moment& at,
               std::optional<CoreBudget::Run> cores) {
        instance.rows = 0;
        for (const InferCall* call : instance.batch) {
            instance.rows += call->rows;
            record_of(player, *call).started = now_ - kBegin;
        }
        instance.active = at.active() + 1;
        instance.began = now_;
        instance.latency = &player.policy->latency_of(*instance.batch.front(), now_);
        instance.predicted = now_ + instance.latency->typical(instance.rows, instance.active);
        const double noise = std::exp(player.model.curve.noise * normal_(random_));
        instance.left = times(player.model.curve.of(instance.rows), noise);
        instance.cores = cores;
        if (cores) budget_.expect(*cores, instance.predicted);
        most_cores_ = std::max(most_cores_, ++running_);
        ++player.outcome.runs;
        player.outcome.rows_run += instance.rows;
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
    std::vector<Player> players_;
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
