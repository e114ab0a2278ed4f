// Prints about how much can be done in time beyond the capacity when nothing is promised and every
// run takes exactly what it should: a mark that a policy that keeps promises on a real engine is
// not expected to reach. For docs/concepts/scheduling.md.
//
//   build/release/tests/sim/overload_bound [requests per point, 10000]
//
// For each run every row count is tried: the queue is played on by a simple rule, against arrivals
// that are drawn, and the count after which most is in time is taken. (Rollout: Bertsekas,
// "Dynamic Programming and Optimal Control".) The same with the arrivals that will really come says
// how much there is in knowing them. Beside them, the product's own policy on the same engine.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "sim/simulation.h"
#include "sim/workload.h"

namespace lepton::sim {
namespace {

constexpr std::array<std::int64_t, 5> kRowCounts{1, 2, 4, 8, 16};
constexpr int kFutures = 50;
constexpr int kHorizon = 70;  // In single-row times: twice the longest timeout.
// Of the rule, the best of a few: what machine time costs, as a share of the capacity, and a
// request that will be too late.
constexpr double kPrice = 0.7;
constexpr double kLoss = 0.5;

enum class Looks : std::uint8_t { kNot, kAtDrawnArrivals, kAtArrivals };

struct State {
    Clock::duration now{};
    std::vector<Clock::duration> waiting;  // Deadlines, ascending.
    std::size_t next = 0;                  // Arrival.
    std::int64_t in_time = 0;
};

class Player {
public:
    Player(const ServiceCurve& curve, double load)
        : curve_(curve), rate_(load * curve.capacity()) {}

    // The share of the capacity that is done in time.
    double play(std::size_t requests, Looks looks) {
        const auto arrivals =
            make_arrivals(Pattern::kPoisson, rate_, requests, curve_.single(), ++seed_);
        State state;
        while (has_work(state, arrivals)) {
            const std::int64_t rows =
                looks == Looks::kNot ? by_rule(state) : by_play(state, arrivals, looks);
            run(state, rows);
        }
        const double seconds = std::chrono::duration<double>(state.now).count();
        return static_cast<double>(state.in_time) / seconds / curve_.capacity();
    }

private:
    // Lets in who has come, drops who is too late, and waits if nobody is there. False: all is
    // done.
    [[nodiscard]] bool has_work(State& state, std::span<const Arrival> arrivals) const {
        while (true) {
            for (; state.next < arrivals.size() && arrivals[state.next].at <= state.now;
                 ++state.next) {
                const Clock::duration due = arrivals[state.next].at + arrivals[state.next].timeout;
                state.waiting.insert(std::ranges::upper_bound(state.waiting, due), due);
            }
            const auto first = std::ranges::lower_bound(state.waiting, state.now + curve_.single());
            state.waiting.erase(state.waiting.begin(), first);
            if (!state.waiting.empty()) return true;
            if (state.next == arrivals.size()) return false;
            state.now = arrivals[state.next].at;
        }
    }

    // How many of a run of so many prepared rows would be used: by whom it is in time for.
    [[nodiscard]] std::int64_t used(const State& state, std::int64_t rows) const {
        const auto first = std::ranges::lower_bound(state.waiting, state.now + curve_.of(rows));
        return std::min<std::int64_t>(rows, state.waiting.end() - first);
    }

    void run(State& state, std::int64_t rows) const {
        const Clock::duration ends = state.now + curve_.of(rows);
        const auto first = std::ranges::lower_bound(state.waiting, ends);
        const std::int64_t taken = used(state, rows);
        state.waiting.erase(first, first + taken);
        state.in_time += taken;
        state.now = ends;
    }

    // More than half full, or a run of half the rows would do.
    [[nodiscard]] bool is_choice(const State& state, std::int64_t rows) const {
        return rows == 1 || 2 * used(state, rows) > rows;
    }

    [[nodiscard]] std::int64_t by_rule(const State& state) const {
        std::int64_t best = 1;
        double best_score = std::numeric_limits<double>::lowest();
        for (const std::int64_t rows : kRowCounts) {
            if (!is_choice(state, rows)) continue;
            const Clock::duration takes = curve_.of(rows);
            // Who is not in it, and too late for a run of four after it.
            const auto may = std::ranges::lower_bound(state.waiting, state.now + takes);
            const auto can =
                std::ranges::lower_bound(state.waiting, state.now + takes + curve_.of(4));
            const std::int64_t taken = used(state, rows);
            const std::int64_t lost =
                (may - state.waiting.begin()) + std::max<std::int64_t>(0, can - may - taken);
            const double score = static_cast<double>(taken) - kPrice * worth(takes) -
                                 kLoss * static_cast<double>(lost);
            if (score > best_score) {
                best_score = score;
                best = rows;
            }
        }
        return best;
    }

    std::int64_t by_play(const State& state, std::span<const Arrival> arrivals, Looks looks) {
        std::vector<std::vector<Arrival>> futures;
        if (looks == Looks::kAtArrivals) {
            futures.emplace_back(arrivals.begin() + static_cast<std::ptrdiff_t>(state.next),
                                 arrivals.end());
        } else {
            for (int i = 0; i < kFutures; ++i) futures.push_back(draw(state.now));
        }
        std::int64_t best = 1;
        double best_score = std::numeric_limits<double>::lowest();
        for (const std::int64_t rows : kRowCounts) {
            if (!is_choice(state, rows)) continue;
            double score = 0;
            for (const auto& future : futures) score += play_on(state, rows, future);
            if (score > best_score) {
                best_score = score;
                best = rows;
            }
        }
        return best;
    }

    [[nodiscard]] std::vector<Arrival> draw(Clock::duration now) {
        const double horizon = kHorizon * std::chrono::duration<double>(curve_.single()).count();
        auto future = make_arrivals(Pattern::kPoisson,
                                    rate_,
                                    static_cast<std::size_t>(1.5 * rate_ * horizon),
                                    curve_.single(),
                                    ++seed_);
        for (Arrival& arrival : future) arrival.at += now;
        return future;
    }

    // What is in time up to the horizon, less what the machine does in that time at best.
    [[nodiscard]] double play_on(State state,
                                 std::int64_t rows,
                                 std::span<const Arrival> future) const {
        const Clock::duration begin = state.now;
        state.in_time = 0;
        state.next = 0;
        run(state, rows);
        while (state.now < begin + kHorizon * curve_.single() && has_work(state, future)) {
            run(state, by_rule(state));
        }
        return static_cast<double>(state.in_time) - worth(state.now - begin);
    }

    // Rows that the machine does in this time at best.
    [[nodiscard]] double worth(Clock::duration time) const {
        return curve_.capacity() * std::chrono::duration<double>(time).count();
    }

    const ServiceCurve& curve_;
    double rate_;
    std::uint64_t seed_ = 0;
};

// The same share of the product's policy, on an engine as exact as that of the Player.
double of_policy(ServiceCurve curve, double load, std::size_t requests) {
    curve.noise = 0;
    curve.straggler_share = 0;
    const double capacity = curve.capacity();
    const auto arrivals =
        make_arrivals(Pattern::kPoisson, load * capacity, requests, curve.single(), 1);
    const Scenario scenario{.curve = std::move(curve), .queue = {}, .slowdown = {}};
    return simulate(scenario, arrivals).goodput() / capacity;
}

int run(std::size_t requests) {
    std::puts(
        "| service times, Poisson | load | by rule | with drawn arrivals | with known ones | "
        "`deadline` |");
    std::puts("|---|---|---|---|---|---|");
    for (const ServiceCurve& curve : measured_curves()) {
        for (const double load : {1.2, 2.0}) {
            std::printf("| %s | %.1f |", curve.name.c_str(), load);
            for (const Looks looks : {Looks::kNot, Looks::kAtDrawnArrivals, Looks::kAtArrivals}) {
                std::printf(" %.2f |", Player(curve, load).play(requests, looks));
            }
            std::printf(" %.2f |\n", of_policy(curve, load, requests));
        }
    }
    return 0;
}

}  // namespace
}  // namespace lepton::sim

int main(int argc, char** argv) {
    const std::size_t requests = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000;
    return lepton::sim::run(requests);
}
