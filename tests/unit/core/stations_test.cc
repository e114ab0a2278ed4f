#include "lepton/core/stations.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lepton {
namespace {

using namespace std::chrono_literals;

const Clock::time_point kStart = Clock::time_point(1h);

Timeline whole_way() {
    return {.begun = kStart,
            .received = kStart + 1us,
            .decoded = kStart + 3us,
            .admitted = kStart + 6us,
            .dispatched = kStart + 10us,
            .compute_start = kStart + 15us,
            .compute_end = kStart + 21us,
            .encoded = kStart + 28us,
            .written = kStart + 36us};
}

std::vector<std::string> passed(const Timeline& timeline) {
    std::vector<std::string> names;
    for (const Stretch& stretch : stretches_of(timeline)) {
        if (stretch.took() > Clock::duration::zero()) names.emplace_back(stretch.name);
    }
    return names;
}

TEST(Stations, StretchesLieEndToEnd) {
    Clock::time_point end = kStart;
    Clock::duration expected = 1us;
    for (const Stretch& stretch : stretches_of(whole_way())) {
        EXPECT_EQ(stretch.begin, end);
        EXPECT_EQ(stretch.took(), expected) << stretch.name;
        end = stretch.end;
        expected += 1us;
    }
    EXPECT_EQ(end, whole_way().written);
}

TEST(Stations, OneThatExpiredInTheQueueSpentItsTimeThere) {
    Timeline timeline = whole_way();
    timeline.dispatched = timeline.compute_start = timeline.compute_end = {};
    EXPECT_EQ(passed(timeline),
              (std::vector<std::string>{"read", "decode", "admit", "queue", "write"}));
    EXPECT_EQ(stretches_of(timeline)[3].took(), 22us);
}

TEST(Stations, OneThatCouldNotBeDecodedSpentItsTimeThere) {
    Timeline timeline;
    timeline.received = kStart;
    timeline.written = kStart + 5us;
    EXPECT_EQ(passed(timeline), std::vector<std::string>{"decode"});
}

TEST(Stations, OneThatWasNeverAnsweredHasNoStretches) {
    Timeline timeline = whole_way();
    timeline.written = {};
    EXPECT_TRUE(passed(timeline).empty());
}

TEST(Breakdown, QueueOfACallThatEndsThereLastsUntilItsAnswer) {
    Timeline timeline = whole_way();
    EXPECT_EQ(breakdown_of(timeline, timeline.encoded).queue, 7us);
    timeline.dispatched = timeline.compute_start = timeline.compute_end = {};
    EXPECT_EQ(breakdown_of(timeline, timeline.encoded).queue, 25us);
    EXPECT_EQ(breakdown_of(timeline, timeline.encoded).output, 0us);
}

TEST(Breakdown, OneThatWasNotAdmittedDidNotWait) {
    Timeline timeline = whole_way();
    timeline.admitted = timeline.dispatched = timeline.compute_start = timeline.compute_end = {};
    EXPECT_EQ(breakdown_of(timeline, timeline.encoded).queue, 0us);
}

}  // namespace
}  // namespace lepton
