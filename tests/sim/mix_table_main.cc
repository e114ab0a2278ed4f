// Prints what the core budget is for, as the table of docs/concepts/scheduling.md:
//
//   build/release/tests/sim/mix_table

#include <cstdio>

#include "sim/mixes.h"

namespace lepton::sim {
namespace {

double milliseconds(Clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

void print_rows(Mix mix, const char* pattern) {
    for (const bool budget : {false, true}) {
        mix.budget = budget;
        const MixOutcome outcome = simulate(mix);
        for (std::size_t i = 0; i < mix.models.size(); ++i) {
            const MixedModel& model = mix.models[i];
            const Outcome& of = outcome.models[i];
            std::printf(
                "| %s, %s | %d | %s | %s | %.1f %% | %.1f | %.1f | %.2f |\n",
                mix.name.c_str(),
                pattern,
                mix.cores,
                budget ? "shared by the budget" : "all at once",
                model.curve.name.c_str(),
                100 * of.attainment(),
                milliseconds(latency_at(model, of, 0.5)),
                milliseconds(latency_at(model, of, 0.99)),
                std::chrono::duration<double>(outcome.cpu[i]).count() /
                    std::chrono::duration<double>(mix.models[0].arrivals.back().at).count());
        }
    }
    std::fflush(stdout);
}

int run() {
    std::puts("| mix | cores | runs | model | in time | p50 in ms | p99 in ms | cores used |");
    std::puts("|---|---|---|---|---|---|---|---|");
    for (const int cores : {1, 2}) {
        print_rows(quick_and_slow(cores, Pattern::kPoisson, 1), "Poisson");
        print_rows(quick_and_slow(cores, Pattern::kBursty, 1), "bursty");
    }
    print_rows(all_with_deadlines(2, 4, 0.7, Pattern::kPoisson, 1), "Poisson, load 0.7");
    print_rows(all_with_deadlines(2, 4, 0.7, Pattern::kBursty, 1), "bursty, load 0.7");
    print_rows(all_with_deadlines(2, 4, 1.2, Pattern::kPoisson, 1), "Poisson, load 1.2");
    return 0;
}

}  // namespace
}  // namespace lepton::sim

int main() { return lepton::sim::run(); }
