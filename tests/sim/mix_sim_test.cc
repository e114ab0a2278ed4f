// Several models on few cores: what must hold whatever comes.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <gtest/gtest.h>

#include "sim/mixes.h"

namespace lepton::sim {
namespace {

using namespace std::chrono_literals;

class AnyMix : public testing::TestWithParam<std::uint64_t> {
protected:
    static void check(const Mix& mix) {
        const MixOutcome outcome = simulate(mix);
        EXPECT_LE(outcome.most_cores, mix.cores) << mix.name;
        for (std::size_t m = 0; m < mix.models.size(); ++m) {
            const auto& arrivals = mix.models[m].arrivals;
            const Outcome& of = outcome.models[m];
            EXPECT_EQ(of.in_time + of.late + of.refused, arrivals.size()) << mix.name;
            for (std::size_t i = 0; i < arrivals.size(); ++i) {
                const Record& record = of.records[i];
                ASSERT_EQ(record.outcomes, 1) << mix.name << ", model " << m << ", request " << i;
                if (record.fate == Fate::kRefused || arrivals[i].timeout <= 0ns) continue;
                ASSERT_LT(record.started, arrivals[i].at + arrivals[i].timeout);
            }
        }
    }
};

TEST_P(AnyMix, NothingIsLostNorAnsweredTwiceNorRunTooLateAndCoresSuffice) {
    const std::uint64_t seed = GetParam();
    const Pattern pattern = seed % 2 == 0 ? Pattern::kPoisson : Pattern::kBursty;
    const int cores = static_cast<int>(1 + seed % 3);
    check(quick_and_slow(cores, pattern, seed));
    for (const double load : {0.5, 1.5}) check(all_with_deadlines(cores, 4, load, pattern, seed));
}

// What the small model waits for at most: a run of the large one that has begun.
TEST_P(AnyMix, QuickModelWaitsForAtMostOneBatchOfTheSlowOne) {
    for (const int cores : {1, 2}) {
        for (const Pattern pattern : {Pattern::kPoisson, Pattern::kBursty}) {
            const Mix mix = quick_and_slow(cores, pattern, GetParam());
            const MixOutcome outcome = simulate(mix);
            const ServiceCurve& slow = mix.models[1].curve;
            const double rows = static_cast<double>(outcome.models[1].rows_run) /
                                static_cast<double>(outcome.models[1].runs);
            const auto batch = slow.of(static_cast<std::int64_t>(std::ceil(rows)));
            const auto own = mix.models[0].curve.of(4);  // What has come meanwhile, together.
            EXPECT_LT(latency_at(mix.models[0], outcome.models[0], 0.99), batch * 11 / 10 + own)
                << cores << " cores";
            EXPECT_GT(outcome.models[0].attainment(), 0.97) << cores << " cores";
        }
    }
}

// Admission counts with what the other models take, and learns from the promises that it broke;
// without either, it is 83 % and 57 % here.
TEST_P(AnyMix, MostOfWhatIsAdmittedIsInTimeBeyondTheCapacity) {
    for (const auto& [load, least] : {std::pair(1.2, 0.96), std::pair(2.0, 0.94)}) {
        const Mix mix = all_with_deadlines(2, 4, load, Pattern::kPoisson, GetParam());
        for (const Outcome& of : simulate(mix).models) {
            EXPECT_GT(static_cast<double>(of.in_time) / static_cast<double>(of.admitted), least);
        }
    }
}

TEST_P(AnyMix, SlowModelIsNotStarvedByTheQuickOne) {
    for (const int cores : {1, 2}) {
        const Mix mix = quick_and_slow(cores, Pattern::kPoisson, GetParam());
        const MixOutcome outcome = simulate(mix);
        const Clock::duration length = mix.models[0].arrivals.back().at;
        const Clock::duration left = length * cores - outcome.cpu[0];
        // With two cores, one is often kept free for the quick one.
        EXPECT_GT(outcome.cpu[1], left * (cores == 1 ? 90 : 40) / 100) << cores << " cores";
    }
}

TEST_P(AnyMix, SaturatedModelsShareTheCoresByTheirWeights) {
    const std::vector<double> weights[] = {{1, 1, 1, 1}, {1, 2, 3, 4}, {1, 5}};
    for (const auto& weighted : weights) {
        const int cores = weighted.size() > 2 ? 2 : 1;
        const MixOutcome outcome = simulate(all_saturated(cores, weighted, GetParam()));
        const double all = std::accumulate(weighted.begin(), weighted.end(), 0.0);
        const auto used =
            std::accumulate(outcome.cpu.begin(), outcome.cpu.end(), Clock::duration::zero());
        EXPECT_GT(used, 58s * cores) << "cores lay idle";
        for (std::size_t i = 0; i < weighted.size(); ++i) {
            const double share =
                static_cast<double>(outcome.cpu[i].count()) / static_cast<double>(used.count());
            EXPECT_NEAR(share, weighted[i] / all, 0.1 * weighted[i] / all) << "model " << i;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyMix, testing::Range<std::uint64_t>(1, 7));

}  // namespace
}  // namespace lepton::sim
