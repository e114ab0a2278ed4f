#include "sim/simulation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "lepton/scheduler/dispatcher.h"

namespace lepton::sim {
namespace {

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

struct Run {
    std::int64_t rows = 0;
    Clock::time_point began;
    Clock::time_point ends = kNoDeadline;  // Of an idle instance: never.
};

scheduler::Dispatcher::Options dispatcher_options(const Scenario& scenario) {
    return {.model = scenario.curve.name,
            .queue = scenario.queue,
            .service_times = scenario.curve.times,
            .max_rows = scenario.max_rows,
            .instances = static_cast<std::size_t>(scenario.instances)};
}

class Simulation {
public:
    Simulation(const Scenario& scenario, std::span<const Arrival> arrivals)
        : arrivals_(arrivals),
          engine_(scenario, scenario.seed),
          dispatcher_(dispatcher_options(scenario), nullptr, kBegin),
          calls_(std::make_unique<InferCall[]>(arrivals.size())),
          runs_(static_cast<std::size_t>(scenario.instances)) {
        outcome_.records.resize(arrivals.size());
    }

    Outcome play() {
        std::size_t next = 0;
        while (true) {
            const Clock::time_point arrival =
                next < arrivals_.size() ? kBegin + arrivals_[next].at : kNoDeadline;
            const auto first =
                std::min_element(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) {
                    return a.ends < b.ends;
                });
            now_ = std::min({arrival, first->ends, look_at_});
            if (now_ == kNoDeadline) break;
            if (first->ends == now_) {
                end_run(static_cast<std::size_t>(first - runs_.begin()));
            } else if (arrival == now_) {
                arrive(next++);
            }
            dispatch();
        }
        outcome_.length = arrivals_.back().at;
        return std::move(outcome_);
    }

private:
    void arrive(std::size_t index) {
        InferCall& call = calls_[index];
        const Arrival& arrival = arrivals_[index];
        call.rows = arrival.rows;
        call.shape_class = arrival.shape_class;
        call.request.priority = arrival.priority;
        if (arrival.timeout > Clock::duration::zero())
            call.request.deadline = now_ + arrival.timeout;
        if (dispatcher_.admit(call, now_, refused_)) {
            outcome_.records[index].admitted = true;
            ++outcome_.admitted;
        } else {
            settle(call, Fate::kRefused, now_);
        }
        outcome_.most_waiting = std::max(outcome_.most_waiting, dispatcher_.waiting());
        settle_refused();
    }

    void dispatch() {
        while (true) {
            const scheduler::Dispatcher::Next next = dispatcher_.next(now_, refused_);
            settle_refused();
            look_at_ = next.look_at;
            if (!next.instance) return;
            start(*next.instance);
        }
    }

    void start(std::size_t instance) {
        Run& run = runs_[instance];
        run.rows = 0;
        for (const InferCall* call : dispatcher_.batch_of(instance)) {
            run.rows += call->rows;
            record_of(*call).started = now_ - kBegin;
        }
        run.began = now_;
        run.ends = now_ + engine_.run(run.rows, now_ - kBegin);
        ++outcome_.runs;
        outcome_.rows_run += run.rows;
    }

    void end_run(std::size_t instance) {
        Run& run = runs_[instance];
        dispatcher_.ran(instance, run.rows, now_ - run.began, now_);
        for (InferCall* call : dispatcher_.batch_of(instance)) {
            const bool in_time = now_ <= call->request.deadline;
            if (call->request.deadline != kNoDeadline) dispatcher_.answered(in_time);
            settle(*call, in_time ? Fate::kInTime : Fate::kLate, now_);
        }
        dispatcher_.release(instance);
        run.ends = kNoDeadline;
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
    scheduler::Dispatcher dispatcher_;
    std::unique_ptr<InferCall[]> calls_;
    std::vector<Run> runs_;  // By instance.
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
