// What must hold whatever comes, checked on the records of simulated runs.

#include <algorithm>
#include <ostream>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "lepton/scheduler/deadline_policy.h"
#include "sim/simulation.h"

namespace lepton::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRequests = 20'000;

// A recording of eight cameras, 30 frames a second each, of which two take their frames together.
std::vector<bench::TraceEntry> cameras() {
    std::vector<bench::TraceEntry> trace;
    for (std::size_t i = 0; i < kRequests; ++i) {
        const auto frame = static_cast<std::int64_t>(i / 8);
        const auto camera = static_cast<std::int64_t>(i % 8 / 2);
        trace.push_back({frame * 33'333us + camera * 4ms, ""});
    }
    return trace;
}

// A workload that mixes all that a client may send, from a seed.
struct Chaos {
    explicit Chaos(std::uint64_t seed) : random(seed) {
        const auto& curves = measured_curves();
        scenario.curve = curves[pick(curves.size())];
        scenario.curve.straggler_share = pick(3) == 0 ? 0.05 : 0.003;
        scenario.instances = static_cast<int>(1 + pick(3));
        scenario.max_rows = std::int64_t{1} << pick(5);
        scenario.seed = seed;
        scenario.queue.max_queued_requests = std::size_t{8} << pick(8);
        if (pick(4) == 0) {
            scenario.queue.policy = model::QueuePolicy::kFifo;
            scenario.queue.max_queue_delay = scenario.curve.single() * static_cast<int>(pick(3));
        }
        const double loads[] = {0.5, 0.9, 1.2, 3.0};
        const Pattern patterns[] = {Pattern::kPoisson, Pattern::kBursty, Pattern::kReplay};
        arrivals =
            make_arrivals({.pattern = patterns[pick(3)],
                           .rate = loads[pick(4)] * scenario.curve.capacity() * scenario.instances,
                           .seed = seed,
                           .burst_lasts = 100 * scenario.curve.single(),
                           .trace = cameras()},
                          kRequests,
                          scenario.curve.single());
        const std::uint64_t unhurried = pick(4);
        for (Arrival& arrival : arrivals) {
            if (pick(10) < unhurried) arrival.timeout = {};
            if (pick(20) == 0) arrival.timeout = scenario.curve.single() / 2;
            if (pick(5) == 0) arrival.rows = static_cast<std::int64_t>(1 + pick(24));
            arrival.priority = static_cast<std::uint32_t>(pick(5));
            arrival.shape_class = pick(3) == 0 ? pick(4) : 0;
        }
    }
    std::uint64_t pick(std::uint64_t below) {
        return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random);
    }

    std::mt19937_64 random;
    Scenario scenario;
    std::vector<Arrival> arrivals;
};

class AnyWorkload : public testing::TestWithParam<int> {};

TEST_P(AnyWorkload, NothingIsLostNorAnsweredTwiceNorRunTooLateAndBoundsHold) {
    const Chaos chaos(static_cast<std::uint64_t>(GetParam()));
    const Outcome outcome = simulate(chaos.scenario, chaos.arrivals);
    ASSERT_EQ(outcome.in_time + outcome.late + outcome.refused, chaos.arrivals.size());
    EXPECT_LE(outcome.most_waiting, chaos.scenario.queue.max_queued_requests);
    for (std::size_t i = 0; i < chaos.arrivals.size(); ++i) {
        const Record& record = outcome.records[i];
        const Arrival& arrival = chaos.arrivals[i];
        ASSERT_EQ(record.outcomes, 1) << "request " << i;
        const bool ran = record.fate != Fate::kRefused;
        ASSERT_TRUE(!ran || record.admitted) << "request " << i << " ran and was not admitted";
        if (ran && arrival.timeout > Clock::duration::zero()) {
            ASSERT_LT(record.started, arrival.at + arrival.timeout) << "request " << i;
        }
    }
}

TEST_P(AnyWorkload, TheSameSeedGivesTheSameRun) {
    const Chaos chaos(static_cast<std::uint64_t>(GetParam()));
    const Outcome first = simulate(chaos.scenario, chaos.arrivals);
    const Outcome second = simulate(chaos.scenario, chaos.arrivals);
    EXPECT_EQ(first.in_time, second.in_time);
    EXPECT_EQ(first.runs, second.runs);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyWorkload, testing::Range(1, 41));

class EveryCurve : public testing::TestWithParam<ServiceCurve> {
protected:
    [[nodiscard]] Outcome play(double load, Pattern pattern, const Scenario& scenario) const {
        const ServiceCurve& curve = scenario.curve;
        return simulate(
            scenario,
            make_arrivals(pattern, load * curve.capacity(), kRequests, curve.single(), 5));
    }
    [[nodiscard]] Scenario scenario() const {
        Scenario made;
        made.curve = GetParam();
        return made;
    }
};

TEST_P(EveryCurve, RecordedFramesAreAllInTimeWhereTheirTimesLeaveRoom) {
    const Scenario with = scenario();
    const auto arrivals = make_arrivals(
        {.pattern = Pattern::kReplay, .rate = 0.8 * with.curve.capacity(), .trace = cameras()},
        kRequests,
        with.curve.single());
    ASSERT_EQ(arrivals.size(), kRequests);
    ASSERT_EQ(arrivals[6].at, arrivals[7].at) << "of one moment";
    EXPECT_GT(simulate(with, arrivals).attainment(), 0.998);
}

TEST_P(EveryCurve, LightLoadIsAllInTime) {
    EXPECT_GT(play(0.4, Pattern::kPoisson, scenario()).attainment(), 0.999);
}

TEST_P(EveryCurve, OverloadDoesNotLowerWhatIsDoneInTime) {
    for (const double load : {1.2, 2.0, 10.0}) {
        const Outcome outcome = play(load, Pattern::kPoisson, scenario());
        // Just beyond the capacity, those with short deadlines are needed to fill it, and where
        // only batches are efficient that are longer than these, they cost a part of it.
        const ServiceCurve& curve = GetParam();
        const bool too_long = curve.name.ends_with("AVX-512");
        EXPECT_GT(outcome.goodput() / curve.capacity(), load < 2 && too_long ? 0.88 : 0.92)
            << "load " << load;
    }
}

// What is admitted before the load is known, just in time, needs small batches; so it has to be
// known soon. Of many beginnings, because one is short.
TEST_P(EveryCurve, OverloadIsNoticedBeforeItCosts) {
    const Clock::duration begins = 190 * GetParam().single();
    const Clock::duration ends = 2 * begins;
    constexpr int kBeginnings = 40;
    const double rate = 1.2 * GetParam().capacity();
    const double long_enough = 1.1 * std::chrono::duration<double>(ends).count();
    std::size_t in_time = 0;
    for (std::uint64_t seed = 1; seed <= kBeginnings; ++seed) {
        const auto arrivals = make_arrivals(Pattern::kPoisson,
                                            rate,
                                            static_cast<std::size_t>(rate * long_enough),
                                            GetParam().single(),
                                            seed);
        const Outcome seen = simulate({.curve = GetParam(), .queue = {}, .slowdown = {}}, arrivals);
        for (std::size_t i = 0; i < arrivals.size(); ++i) {
            const bool counts = arrivals[i].at >= begins && arrivals[i].at < ends;
            in_time += counts && seen.records[i].fate == Fate::kInTime ? 1 : 0;
        }
    }
    const double seconds = kBeginnings * std::chrono::duration<double>(ends - begins).count();
    EXPECT_GT(static_cast<double>(in_time) / seconds, 0.88 * GetParam().capacity());
}

TEST_P(EveryCurve, WhatIsAdmittedIsInTime) {
    for (const Pattern pattern : {Pattern::kPoisson, Pattern::kBursty}) {
        for (const double load : {0.8, 1.2, 2.0}) {
            EXPECT_GT(play(load, pattern, scenario()).kept_promises(), 0.99) << "load " << load;
        }
    }
}

TEST_P(EveryCurve, NoMoreIsRefusedThanFirstInFirstOutLeavesLate) {
    Scenario fifo = scenario();
    fifo.queue.policy = model::QueuePolicy::kFifo;
    for (const double load : {0.3, 0.6, 0.9, 1.2}) {
        // Where all are in time but for a few that stragglers hold up, who is among those is
        // chance.
        EXPECT_GE(play(load, Pattern::kPoisson, scenario()).in_time + kRequests / 1000,
                  play(load, Pattern::kPoisson, fifo).in_time)
            << "load " << load;
    }
}

TEST_P(EveryCurve, RequestWithoutDeadlineIsNotStarvedByThoseWithOne) {
    Scenario with = scenario();
    auto arrivals = make_arrivals(
        Pattern::kPoisson, 2 * with.curve.capacity(), kRequests, with.curve.single(), 5);
    for (std::size_t i = 0; i < arrivals.size(); i += 50) arrivals[i].timeout = {};
    const Outcome outcome = simulate(with, arrivals);
    for (std::size_t i = 0; i < arrivals.size(); i += 50) {
        ASSERT_EQ(outcome.records[i].fate, Fate::kInTime) << i;
        ASSERT_LT(outcome.records[i].finished - arrivals[i].at,
                  scheduler::DeadlinePolicy::kPatience + 20 * with.curve.of(with.max_rows))
            << i;
    }
}

TEST_P(EveryCurve, HigherPriorityIsServedWhenNotAllCanBe) {
    const Scenario with = scenario();
    auto arrivals = make_arrivals(
        Pattern::kPoisson, 2 * with.curve.capacity(), kRequests, with.curve.single(), 5);
    for (std::size_t i = 0; i < arrivals.size(); ++i) arrivals[i].priority = i % 10 == 0 ? 1 : 3;
    const Outcome outcome = simulate(with, arrivals);
    double served[2] = {0, 0};  // Share of the others and of the important ones.
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        const bool important = i % 10 == 0;
        if (outcome.records[i].fate != Fate::kInTime) continue;
        served[important ? 1 : 0] += (important ? 10.0 : 10.0 / 9) / kRequests;
    }
    // Not all of them: a run that has begun is not interrupted.
    EXPECT_GT(served[1], 0.88);
    EXPECT_LT(served[0], 0.6);
}

TEST_P(EveryCurve, SlowMachineIsNoticedAndItsRecoveryToo) {
    Scenario slow = scenario();
    const double rate = 0.5 * slow.curve.capacity();
    const auto arrivals = make_arrivals(Pattern::kPoisson, rate, kRequests, slow.curve.single(), 5);
    const Clock::duration third = arrivals.back().at / 3;
    slow.slowdown = [third](Clock::duration at) {
        return at > third && at < 2 * third ? 3.0 : 1.0;
    };
    const Outcome outcome = simulate(slow, arrivals);
    std::size_t offered = 0;
    std::size_t in_time = 0;
    std::size_t admitted_slow = 0;
    std::size_t kept_slow = 0;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        const Record& record = outcome.records[i];
        if (arrivals[i].at > 2 * third + 2s) {
            ++offered;
            in_time += record.fate == Fate::kInTime ? 1 : 0;
        } else if (arrivals[i].at > third + 1s && arrivals[i].at < 2 * third) {
            admitted_slow += record.admitted ? 1 : 0;
            kept_slow += record.fate == Fate::kInTime ? 1 : 0;
        }
    }
    EXPECT_GT(static_cast<double>(in_time), 0.99 * static_cast<double>(offered));
    EXPECT_GT(static_cast<double>(kept_slow), 0.95 * static_cast<double>(admitted_slow));
}

std::string name_of(const testing::TestParamInfo<ServiceCurve>& info) {
    std::string name = info.param.name;
    std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
    return name;
}

INSTANTIATE_TEST_SUITE_P(Measured, EveryCurve, testing::ValuesIn(measured_curves()), name_of);

}  // namespace
}  // namespace lepton::sim
