// Prints what the core budget is for, as the table of docs/concepts/scheduling.md:
//
//   build/release/tests/sim/mix_table

#include <cstdio>
#include <string>

#include "sim/mixes.h"

namespace lepton::sim {
namespace {

double milliseconds(Clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

std::string percent(std::size_t part, std::size_t whole) {
    std::string text = std::to_string(100 * static_cast<double>(part) / static_cast<double>(whole));
    text.resize(text.find('.') + 2);
    return text + " %";
}

std::string in_time(const MixedModel& model, const Outcome& outcome) {
    if (model.arrivals.front().timeout == Clock::duration::zero()) return "no deadlines | -";
    return percent(outcome.in_time, model.arrivals.size()) + " | " +
           percent(outcome.in_time, outcome.admitted);
}

void print_rows(Mix mix, const char* load) {
    const double length = std::chrono::duration<double>(mix.models[0].arrivals.back().at).count();
    for (const bool budget : {false, true}) {
        mix.budget = budget;
        const MixOutcome outcome = simulate(mix);
        // The mixes of more have two kinds of models, in turn.
        for (std::size_t i = 0; i < 2; ++i) {
            const MixedModel& model = mix.models[i];
            const Outcome& of = outcome.models[i];
            std::printf("| %s, %s, cores: %d | %s | %s | %s | %.1f | %.1f | %.2f |\n",
                        mix.name.c_str(),
                        load,
                        mix.cores,
                        budget ? "budget" : "all at once",
                        model.curve.name.c_str(),
                        in_time(model, of).c_str(),
                        milliseconds(latency_at(model, of, 0.5)),
                        milliseconds(latency_at(model, of, 0.99)),
                        std::chrono::duration<double>(outcome.cpu[i]).count() / length);
        }
    }
    std::fflush(stdout);
}

int run() {
    std::puts(
        "| mix | runs | model | in time | of those admitted | p50 in ms | p99 in ms | cores used "
        "|");
    std::puts("|---|---|---|---|---|---|---|---|");
    print_rows(quick_and_slow(1, Pattern::kPoisson, 1), "Poisson");
    print_rows(quick_and_slow(1, Pattern::kBursty, 1), "bursty");
    print_rows(all_with_deadlines(2, 4, 0.7, Pattern::kPoisson, 1), "Poisson, load 0.7");
    print_rows(all_with_deadlines(2, 4, 0.7, Pattern::kBursty, 1), "bursty, load 0.7");
    print_rows(all_with_deadlines(2, 4, 1.2, Pattern::kPoisson, 1), "Poisson, load 1.2");
    print_rows(all_with_deadlines(2, 4, 2, Pattern::kPoisson, 1), "Poisson, load 2");
    return 0;
}

}  // namespace
}  // namespace lepton::sim

int main() { return lepton::sim::run(); }
