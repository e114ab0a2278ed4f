#include "lepton/net/reactor.h"

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/post.hpp>

#include "lepton/net/connection.h"
#include "support/eventually.h"

namespace lepton::net {
namespace {

using namespace std::chrono_literals;
using lepton::testing::eventually;

class Job final : public Task {
public:
    explicit Job(std::function<void()> body) : body_(std::move(body)) {}
    void run() noexcept override { body_(); }

private:
    std::function<void()> body_;
};

TEST(Reactor, PostedTasksRunOnTheLoopsThreadOnceEach) {
    Reactor reactor(0, {});
    std::jthread loop([&reactor] { reactor.run(); });
    std::atomic<int> ran = 0;
    std::atomic<bool> elsewhere = false;
    std::vector<std::unique_ptr<Job>> jobs;
    for (int i = 0; i < 4000; ++i) {
        jobs.push_back(std::make_unique<Job>([&] {
            if (!reactor.on_loop_thread()) elsewhere = true;
            ++ran;
        }));
    }
    {
        std::vector<std::jthread> posters;
        for (std::size_t first = 0; first < 4; ++first) {
            posters.emplace_back([&, first] {
                for (std::size_t i = first; i < jobs.size(); i += 4) reactor.post(*jobs[i]);
            });
        }
    }
    ASSERT_TRUE(eventually([&] { return ran >= 4000; }));
    reactor.stop();
    EXPECT_FALSE(elsewhere);
}

TEST(Reactor, TurnEndComesAfterEverythingThatWasReady) {
    Reactor reactor(0, {});
    std::vector<int> order;
    Job end([&] {
        order.push_back(0);
        reactor.stop();
    });
    Job again([&] { order.push_back(3); });
    boost::asio::post(reactor.context(), [&] {
        order.push_back(1);
        reactor.at_turn_end(again);
        reactor.at_turn_end(end);
    });
    boost::asio::post(reactor.context(), [&] { order.push_back(2); });
    reactor.run();
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 0}));
}

TEST(Reactor, TurnEndTaskThatSchedulesItselfLetsTheSocketsBeReadFirst) {
    Reactor reactor(0, {});
    std::vector<int> order;
    Job other([&] { order.push_back(3); });
    Job self([&] {
        order.push_back(order.size() > 1 ? 4 : 1);
        if (order.size() > 1) return reactor.stop();
        reactor.at_turn_end(self);
        reactor.at_turn_end(other);
        boost::asio::post(reactor.context(), [&] { order.push_back(2); });
    });
    boost::asio::post(reactor.context(), [&] { reactor.at_turn_end(self); });
    reactor.run();
    EXPECT_EQ(order, (std::vector<int>{1, 3, 2, 4}));
}

TEST(Reactor, TimedTasksRunInTheirOrderAndNotBeforeTheirTime) {
    Reactor reactor(0, {});
    std::vector<int> order;
    const Clock::time_point start = Clock::now();
    Clock::time_point last_ran;
    Job late([&] {
        order.push_back(2);
        last_ran = Clock::now();
        reactor.stop();
    });
    Job early([&] { order.push_back(1); });
    boost::asio::post(reactor.context(), [&] {
        reactor.run_at(start + 20ms, late);
        reactor.run_at(start + 10ms, early);
    });
    reactor.run();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
    EXPECT_GE(last_ran, start + 20ms);
}

TEST(Reactor, BusyPollingLoopSeesPostedWork) {
    Reactor reactor(0, 200us);
    std::jthread loop([&reactor] { reactor.run(); });
    std::atomic<bool> ran = false;
    Job job([&] { ran = true; });
    reactor.post(job);
    ASSERT_TRUE(eventually([&] { return ran.load(); }));
    reactor.stop();
}

}  // namespace
}  // namespace lepton::net
