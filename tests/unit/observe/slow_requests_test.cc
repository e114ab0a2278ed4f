#include "lepton/observe/slow_requests.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::observe {
namespace {

using namespace std::chrono_literals;

// Well inside a slice, so that requests that belong together stay together.
const Clock::time_point kStart = Clock::time_point(100 * SlowRequests::kSlice + 10s);

void note(SlowRequests& slow,
          Clock::time_point received,
          Clock::duration took,
          std::string_view model = "m",
          Clock::time_point deadline = kNoDeadline) {
    InferCall call;
    call.request.model_name = model;
    call.request.deadline = deadline;
    call.timeline.received = received;
    call.timeline.admitted = received + 1us;
    call.timeline.written = received + took;
    slow.note(call);
}

TEST(SlowRequests, TheSlowestStayAndTheSlowestComesFirst) {
    SlowRequests slow;
    for (int i = 1; i <= 1000; ++i) note(slow, kStart, i * 1us * (i % 2 == 0 ? 1 : 1000));
    const auto kept = slow.read("", 100, kStart + 1s).slowest;
    ASSERT_EQ(kept.size(), SlowRequests::kKept);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        EXPECT_EQ(kept[i].total(), (999 - 2 * static_cast<int>(i)) * 1ms) << i;
    }
}

TEST(SlowRequests, WhatWasSlowLongAgoHidesNothing) {
    SlowRequests slow;
    for (int i = 0; i < 100; ++i) note(slow, kStart, 10s);
    const auto later = kStart + SlowRequests::kWindow + SlowRequests::kSlice;
    for (int i = 0; i < 10; ++i) note(slow, later, 1us);
    const auto kept = slow.read("", 100, later + 1s).slowest;
    ASSERT_EQ(kept.size(), 10U);
    EXPECT_EQ(kept.front().total(), 1us);
}

TEST(SlowRequests, WhatIsWithinTheWindowIsKeptThroughBusyMinutes) {
    SlowRequests slow;
    note(slow, kStart, 5s);
    Clock::time_point now = kStart;
    for (int minute = 1; minute < 5; ++minute) {
        now = kStart + minute * SlowRequests::kSlice;
        for (int i = 0; i < 1000; ++i) note(slow, now, 1ms + i * 1us);
    }
    EXPECT_EQ(slow.read("", 1, now).slowest.front().total(), 5s);
}

TEST(SlowRequests, OnlyAdmittedRequestsMissTheirDeadlines) {
    SlowRequests slow;
    note(slow, kStart, 3ms, "late", kStart + 2ms);
    note(slow, kStart, 1ms, "in_time", kStart + 2ms);
    InferCall call;
    call.request.model_name = "refused";
    call.timeline.received = kStart;
    call.timeline.written = kStart + 1ms;
    call.response.error = Error{ErrorCode::kDeadlineExceeded, ""};
    slow.note(call);
    call.request.model_name = "expired";
    call.timeline.admitted = kStart;
    call.timeline.written = kStart + 2ms;
    slow.note(call);
    const auto missed = slow.read("", 100, kStart + 1s).missed;
    ASSERT_EQ(missed.size(), 2U);
    EXPECT_EQ(missed[0].model_name.view(), "late");
    EXPECT_EQ(missed[1].model_name.view(), "expired");
    EXPECT_EQ(missed[1].error, ErrorCode::kDeadlineExceeded);
}

TEST(SlowRequests, TheLatestThatMissedPushTheOldestOut) {
    SlowRequests slow;
    for (int i = 0; i < 200; ++i) note(slow, kStart + i * 1us, 3ms, "late", kStart);
    const auto missed = slow.read("", 100, kStart + 1s).missed;
    ASSERT_EQ(missed.size(), SlowRequests::kKept);
    EXPECT_EQ(missed.front().timeline.received, kStart + 199us);
    EXPECT_EQ(missed.back().timeline.received, kStart + 136us);
}

TEST(SlowRequests, OneModelCanBeAskedFor) {
    SlowRequests slow;
    for (int i = 0; i < 5; ++i) note(slow, kStart, 1ms, "a");
    for (int i = 0; i < 3; ++i) note(slow, kStart, 1ms, std::string(100, 'b'));
    EXPECT_EQ(slow.read("a", 100, kStart + 1s).slowest.size(), 5U);
    EXPECT_EQ(slow.read("a", 2, kStart + 1s).slowest.size(), 2U);
    EXPECT_EQ(slow.read(std::string(100, 'b'), 100, kStart + 1s).slowest.size(), 3U);
    EXPECT_EQ(slow.read("c", 100, kStart + 1s).slowest.size(), 0U);
}

TEST(SlowRequests, WhatNobodyWasAnsweredIsNotKept) {
    SlowRequests slow;
    InferCall call;
    call.timeline.received = kStart;
    slow.note(call);
    EXPECT_TRUE(slow.read("", 100, kStart + 1s).slowest.empty());
}

TEST(SlowRequests, ManyThreadsMayWriteWhileOneReads) {
    SlowRequests slow;
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 3; ++writer) {
        writers.emplace_back([&slow] {
            for (int i = 0; i < 5000; ++i) note(slow, kStart, i * 1us, "m", kStart + 1ms);
        });
    }
    for (int i = 0; i < 50; ++i) {
        const auto found = slow.read("", 100, kStart + 1s);
        for (std::size_t k = 1; k < found.slowest.size(); ++k) {
            EXPECT_GE(found.slowest[k - 1].total(), found.slowest[k].total());
        }
    }
}

TEST(ShortText, KeepsWholeCharacters) {
    const std::string text = std::string(ShortText::kRoom - 1, 'x') + "\xc3\xa9";
    EXPECT_EQ(ShortText(text).view(), std::string(ShortText::kRoom - 1, 'x'));
    EXPECT_EQ(ShortText("\xc3\xa9").view(), "\xc3\xa9");
}

}  // namespace
}  // namespace lepton::observe
