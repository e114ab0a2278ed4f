#include "sim/simulation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <random>

#include "lepton/scheduler/policy.h"

namespace lepton::sim {
namespace {

using scheduler::Moment;
using scheduler::Refused;

// A point from which to count that is later than every time span of the policies.
constexpr Clock::time_point kBegin{std::chrono::hours(1)};

class Engine {
public:
    Engine(const Scenario& scenario, std::uint64_t seed) : scenario_(scenario), random_(seed) {}

    Clock::duration run(std::int64_t rows, Clock::duration at) {
        double factor = std::exp(scenario_.curve.noise * normal_(random_));
        if (uniform_(random_) < scenario_.curve.straggler_share) {
            factor *= scenario_.curve.straggler_factor;
        }
        if (scenario_.slowdown) factor *= scenario_.slowdown(at);
        const auto exact = static_cast<double>(scenario_.curve.of(rows).count());
        return Clock::duration(static_cast<Clock::rep>(exact * factor));
    }

private:
    const Scenario& scenario_;
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
    std::uniform_real_distribution<double> uniform_;
};

struct Instance {
    bool busy = false;
    std::vector<InferCall*> batch;
    std::int64_t rows = 0;
    int active = 1;
    Clock::time_point began;
    Clock::time_point ends = kNoDeadline;
    Clock::time_point predicted;
    scheduler::LatencyModel* latency = nullptr;  // Of its batch.
};

class Simulation {
public:
    Simulation(const Scenario& scenario, std::span<const Arrival> arrivals)
        : arrivals_(arrivals),
          engine_(scenario, scenario.seed),
          policy_(scheduler::make_policy(
              scenario.queue, scenario.max_rows, scenario.curve.times, kBegin)),
          calls_(std::make_unique<InferCall[]>(arrivals.size())),
          instances_(static_cast<std::size_t>(scenario.instances)),
          free_at_(instances_.size()) {
        outcome_.records.resize(arrivals.size());
    }

    Outcome play() {
        std::size_t next = 0;
        while (true) {
            const Clock::time_point arrival =
                next < arrivals_.size() ? kBegin + arrivals_[next].at : kNoDeadline;
            const auto first = std::min_element(
                instances_.begin(), instances_.end(), [](const Instance& a, const Instance& b) {
                    return a.ends < b.ends;
                });
            const Clock::time_point expiry =
                policy_->empty() ? kNoDeadline : policy_->earliest_expiry();
            now_ = std::min({arrival, first->ends, look_at_, expiry});
            if (now_ == kNoDeadline) break;
            if (first->ends == now_) {
                end_run(*first);
            } else if (arrival == now_) {
                arrive(next++);
            } else if (expiry == now_) {
                policy_->expire(now_, refused_);
            }
            settle_refused();
            dispatch();
        }
        outcome_.length = arrivals_.back().at;
        return std::move(outcome_);
    }

private:
    Moment moment() {
        for (std::size_t i = 0; i < instances_.size(); ++i) {
            const Clock::time_point soon = now_ + std::chrono::nanoseconds(1);
            free_at_[i] = instances_[i].busy ? std::max(instances_[i].predicted, soon) : now_;
        }
        return {now_, free_at_};
    }

    void arrive(std::size_t index) {
        InferCall& call = calls_[index];
        const Arrival& arrival = arrivals_[index];
        call.rows = arrival.rows;
        call.shape_class = arrival.shape_class;
        call.request.priority = arrival.priority;
        if (arrival.timeout > Clock::duration::zero())
            call.request.deadline = now_ + arrival.timeout;
        if (policy_->admit(call, moment(), refused_)) {
            outcome_.records[index].admitted = true;
            ++outcome_.admitted;
        } else {
            settle(call, Fate::kRefused, now_);
        }
        outcome_.most_waiting = std::max(outcome_.most_waiting, policy_->waiting());
    }

    void dispatch() {
        look_at_ = kNoDeadline;
        for (Instance& instance : instances_) {
            if (instance.busy) continue;
            instance.batch.clear();
            const Moment at = moment();
            look_at_ = policy_->next_batch(at, instance.batch, refused_);
            settle_refused();
            if (instance.batch.empty()) return;
            instance.busy = true;
            instance.active = at.active() + 1;
            instance.rows = 0;
            for (InferCall* call : instance.batch) {
                instance.rows += call->rows;
                record_of(*call).started = now_ - kBegin;
            }
            instance.began = now_;
            instance.latency = &policy_->latency_of(*instance.batch.front(), now_);
            instance.predicted = now_ + instance.latency->typical(instance.rows, instance.active);
            instance.ends = now_ + engine_.run(instance.rows, now_ - kBegin);
            ++outcome_.runs;
            outcome_.rows_run += instance.rows;
        }
    }

    void end_run(Instance& instance) {
        instance.latency->observe(instance.rows, now_ - instance.began, now_, instance.active);
        for (InferCall* call : instance.batch) {
            const bool in_time = now_ <= call->request.deadline;
            if (call->request.deadline != kNoDeadline) policy_->answered(in_time);
            settle(*call, in_time ? Fate::kInTime : Fate::kLate, now_);
        }
        instance.busy = false;
        instance.ends = kNoDeadline;
    }

    void settle_refused() {
        for (const Refused& refused : refused_) settle(*refused.call, Fate::kRefused, now_);
        refused_.clear();
    }

    void settle(InferCall& call, Fate fate, Clock::time_point at) {
        Record& record = record_of(call);
        record.fate = fate;
        record.finished = at - kBegin;
        ++record.outcomes;
        outcome_.in_time += fate == Fate::kInTime ? 1 : 0;
        outcome_.late += fate == Fate::kLate ? 1 : 0;
        outcome_.refused += fate == Fate::kRefused ? 1 : 0;
    }

    Record& record_of(const InferCall& call) {
        return outcome_.records[static_cast<std::size_t>(&call - calls_.get())];
    }

    std::span<const Arrival> arrivals_;
    Engine engine_;
    std::unique_ptr<scheduler::Policy> policy_;
    std::unique_ptr<InferCall[]> calls_;
    std::vector<Instance> instances_;
    std::vector<Clock::time_point> free_at_;
    std::vector<Refused> refused_;
    Clock::time_point now_;
    Clock::time_point look_at_ = kNoDeadline;
    Outcome outcome_;
};

}  // namespace

Outcome simulate(const Scenario& scenario, std::span<const Arrival> arrivals) {
    return Simulation(scenario, arrivals).play();
}

}  // namespace lepton::sim
