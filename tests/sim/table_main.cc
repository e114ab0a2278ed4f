// Prints how the scheduling policies compare, as the table of docs/concepts/scheduling.md:
//
//   build/release/tests/sim/policy_table [requests per point, 20000] [trace]
//
// With a trace, as `lepton bench --arrivals replay` takes it, only what is recorded there is
// played, stretched to each load.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "sim/simulation.h"

namespace lepton::sim {
namespace {

std::size_t requests = 20'000;
std::vector<bench::TraceEntry> trace;

struct Candidate {
    model::QueueOptions queue;
    std::int64_t max_rows = 16;
    std::string name;
};

Outcome play(const ServiceCurve& curve, Pattern pattern, const Candidate& candidate, double load) {
    const auto arrivals = make_arrivals({.pattern = pattern,
                                         .rate = load * curve.capacity(),
                                         .seed = 9,
                                         .burst_lasts = 100 * curve.single(),
                                         .trace = trace},
                                        requests,
                                        curve.single());
    const Scenario scenario{
        .curve = curve, .queue = candidate.queue, .max_rows = candidate.max_rows, .slowdown = {}};
    return simulate(scenario, arrivals);
}

// The largest share of the capacity at which 99 % of the requests are in time.
double load_at_99(const ServiceCurve& curve, Pattern pattern, const Candidate& candidate) {
    double best = 0;
    for (double load = 0.3; load <= 1.1 && load < best + 0.1 + (best == 0 ? 1 : 0); load += 0.025) {
        if (play(curve, pattern, candidate, load).attainment() >= 0.99) best = load;
    }
    return best;
}

Candidate best_fifo(const ServiceCurve& curve, Pattern pattern) {
    Candidate best;
    double best_load = -1;
    for (const std::int64_t rows : {1, 2, 4, 8, 16}) {
        for (const double delay : {0.0, 0.5, 1.0, 2.0}) {
            Candidate candidate;
            candidate.queue.policy = model::QueuePolicy::kFifo;
            candidate.queue.max_queue_delay = Clock::duration(
                static_cast<Clock::rep>(delay * static_cast<double>(curve.single().count())));
            candidate.max_rows = rows;
            candidate.name = "`fifo`, batch " + std::to_string(rows) + ", delay " +
                             std::to_string(delay).substr(0, 3);
            if (const double load = load_at_99(curve, pattern, candidate); load > best_load) {
                best = candidate;
                best_load = load;
            }
        }
    }
    return best;
}

void print_row(const ServiceCurve& curve, Pattern pattern, const Candidate& candidate) {
    const Outcome more = play(curve, pattern, candidate, 1.2);
    const Outcome twice = play(curve, pattern, candidate, 2.0);
    std::printf("| %s, %s | %s | %.3f | %.2f | %.2f | %.4f | %.4f |\n",
                curve.name.c_str(),
                pattern == Pattern::kPoisson ? "Poisson" : to_string(pattern).data(),
                candidate.name.c_str(),
                load_at_99(curve, pattern, candidate),
                more.goodput() / curve.capacity(),
                twice.goodput() / curve.capacity(),
                more.kept_promises(),
                twice.kept_promises());
    std::fflush(stdout);
}

int run() {
    std::puts(
        "| service times, arrivals | policy | load at 99 % | goodput at 1.2 | at 2.0 | "
        "admitted in time at 1.2 | at 2.0 |");
    std::puts("|---|---|---|---|---|---|---|");
    const std::vector<Pattern> patterns = trace.empty()
                                              ? std::vector{Pattern::kPoisson, Pattern::kBursty}
                                              : std::vector{Pattern::kReplay};
    for (const ServiceCurve& curve : measured_curves()) {
        for (const Pattern pattern : patterns) {
            print_row(curve, pattern, best_fifo(curve, pattern));
            print_row(curve, pattern, {.queue = {}, .max_rows = 16, .name = "`deadline`"});
        }
    }
    return 0;
}

}  // namespace
}  // namespace lepton::sim

int main(int argc, char** argv) {
    if (argc > 1) lepton::sim::requests = std::strtoull(argv[1], nullptr, 10);
    if (argc > 2) {
        auto read = lepton::bench::read_trace(argv[2]);
        if (!read) {
            std::fprintf(stderr, "policy_table: %s\n", read.error().message.c_str());
            return 2;
        }
        lepton::sim::trace = *std::move(read);
    }
    return lepton::sim::run();
}
