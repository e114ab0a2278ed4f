#include "lepton/scheduler/call_queue.h"

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include <gmock/gmock.h>

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr Clock::time_point kBegin{1h};

QueuedCall call_due(Clock::duration after, std::int64_t rows = 1) {
    QueuedCall call;
    call.due = kBegin + after;
    call.rows = rows;
    call.bytes = 10;
    return call;
}

std::vector<std::int64_t> rows_in_order(const CallQueue& queue) {
    std::vector<std::int64_t> rows;
    for (const QueuedCall& call : queue.calls()) rows.push_back(call.rows);
    return rows;
}

TEST(CallQueue, EarlierDueComesFirstAndOfEqualsTheOneThatWasThere) {
    CallQueue queue;
    queue.insert(call_due(2ms, 1));
    queue.insert(call_due(1ms, 2));
    queue.insert(call_due(2ms, 3));
    EXPECT_THAT(rows_in_order(queue), ElementsAre(2, 1, 3));
}

TEST(CallQueue, RemovesAnyPlacesAndKeepsTheOrderAndTheSums) {
    CallQueue queue;
    for (int i = 0; i < 6; ++i) queue.insert(call_due(i * 1ms, i + 1));
    const std::array<std::size_t, 3> places{0, 2, 3};
    queue.remove(places);
    EXPECT_THAT(rows_in_order(queue), ElementsAre(2, 5, 6));
    EXPECT_EQ(queue.rows(), 13);
    EXPECT_EQ(queue.bytes(), 30U);
    queue.insert(call_due(0ms, 9));
    EXPECT_THAT(rows_in_order(queue), ElementsAre(9, 2, 5, 6));
}

TEST(CallQueue, CountsWhatEachClientHasOfEachPriority) {
    CallQueue queue;
    QueuedCall call;
    for (const std::uint64_t client : {7, 3, 7}) {
        for (const std::uint32_t priority : {1, 2}) {
            call.client = client;
            call.priority = priority;
            queue.insert(call);
        }
    }
    EXPECT_EQ(queue.shares().size(), 4U);
    EXPECT_EQ(queue.calls_like(call), 2U);
    queue.remove(0);  // The first of 7.
    call.priority = 1;
    EXPECT_EQ(queue.calls_like(call), 1U);
    call.client = 3;
    EXPECT_EQ(queue.calls_like(call), 1U);
    call.client = 8;
    EXPECT_EQ(queue.calls_like(call), 0U);
    while (!queue.empty()) queue.remove(0);
    EXPECT_TRUE(queue.shares().empty());
}

TEST(CallQueue, StaysSortedAndCompleteUnderRandomUse) {
    std::mt19937 random(7);
    CallQueue queue;
    std::vector<Clock::time_point> model;
    for (int step = 0; step < 20'000; ++step) {
        if (model.empty() || random() % 3 != 0) {
            const QueuedCall call = call_due(std::chrono::microseconds(random() % 1000));
            queue.insert(call);
            model.insert(std::upper_bound(model.begin(), model.end(), call.due), call.due);
        } else {
            std::vector<std::size_t> places;
            for (std::size_t i = 0; i < model.size(); ++i) {
                if (random() % 4 == 0) places.push_back(i);
            }
            queue.remove(places);
            for (auto place = places.rbegin(); place != places.rend(); ++place) {
                model.erase(model.begin() + static_cast<std::ptrdiff_t>(*place));
            }
        }
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.rows(), static_cast<std::int64_t>(model.size()));
    }
    const auto same = [](const QueuedCall& call, Clock::time_point due) { return call.due == due; };
    EXPECT_TRUE(
        std::equal(queue.calls().begin(), queue.calls().end(), model.begin(), model.end(), same));
}

}  // namespace
}  // namespace lepton::scheduler
