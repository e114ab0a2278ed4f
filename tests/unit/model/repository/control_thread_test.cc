#include "lepton/model/repository/control_thread.h"

#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lepton::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Lane = ControlThread::Lane;

// A thread that is busy until the test lets it go on, so that what is added meanwhile waits.
class ControlThreadTest : public ::testing::Test {
protected:
    void hold() {
        std::promise<void> begun;
        control_.add({.run = [this, &begun] {
            begun.set_value();
            go_on_.get_future().wait();
        }});
        begun.get_future().wait();
    }
    void add(Lane lane, const std::string& key, const std::string& name) {
        control_.add(
            {.lane = lane,
             .key = key,
             .run = [this, name] { done_.push_back(name); },
             .drop = [this, name](const Error& why) { dropped_.emplace_back(name, why.code); }});
    }
    std::vector<std::string> done() {
        go_on_.set_value();
        control_.wait_until_settled();
        return done_;
    }

    std::promise<void> go_on_;
    std::vector<std::string> done_;  // Read once the thread has settled.
    std::vector<std::pair<std::string, ErrorCode>> dropped_;
    ControlThread control_{{.max_changes = 2}};
};

TEST_F(ControlThreadTest, DoesChangesBeforeModelsAndThoseInTheirOrder) {
    hold();
    add(Lane::kModel, "a", "load a");
    add(Lane::kModel, "b", "load b");
    add(Lane::kChange, "", "change 1");
    add(Lane::kChange, "", "change 2");
    EXPECT_THAT(done(), ElementsAre("change 1", "change 2", "load a", "load b"));
    EXPECT_THAT(dropped_, IsEmpty());
}

TEST_F(ControlThreadTest, NobodyWaitsForImprovements) {
    hold();
    std::promise<void> let_it_end;
    std::promise<void> improved;
    control_.add({.lane = Lane::kImprovement, .key = "a", .run = [&] {
                      let_it_end.get_future().wait();
                      improved.set_value();
                  }});
    add(Lane::kModel, "a", "load");
    EXPECT_THAT(done(), ElementsAre("load"));
    let_it_end.set_value();
    improved.get_future().wait();
}

TEST_F(ControlThreadTest, TheLatestWordOnAKeyTakesThePlaceOfTheOneBefore) {
    hold();
    add(Lane::kModel, "a", "load a");
    add(Lane::kModel, "b", "load b");
    add(Lane::kModel, "a", "unload a");
    EXPECT_THAT(dropped_, ElementsAre(std::pair("load a", ErrorCode::kUnavailable)));
    EXPECT_THAT(done(), ElementsAre("load b", "unload a"));
}

TEST_F(ControlThreadTest, RefusesMoreChangesThanItsBound) {
    hold();
    for (const char* name : {"1", "2", "3"}) add(Lane::kChange, "", name);
    EXPECT_THAT(dropped_, ElementsAre(std::pair("3", ErrorCode::kQueueFull)));
    EXPECT_THAT(done(), ElementsAre("1", "2"));
}

TEST_F(ControlThreadTest, DropsWhatWaitsWhenItStopsAndWhatComesAfter) {
    hold();
    add(Lane::kChange, "", "change");
    add(Lane::kModel, "a", "load");
    control_.cancel();
    control_.wait_until_settled();  // Nobody waits for what will never be done.
    go_on_.set_value();
    control_.stop();
    add(Lane::kChange, "", "late");
    EXPECT_THAT(done_, IsEmpty());
    EXPECT_THAT(dropped_,
                ElementsAre(std::pair("change", ErrorCode::kUnavailable),
                            std::pair("load", ErrorCode::kUnavailable),
                            std::pair("late", ErrorCode::kUnavailable)));
}

TEST(ControlThread, LooksAroundWhenItIsTimeAndNothingWaits) {
    std::promise<void> looked;
    std::optional<Clock::time_point> next = Clock::now();
    const ControlThread control(
        {.next_look = [&] { return next.value_or(Clock::time_point::max()); },
         .look =
             [&] {
                 next.reset();
                 looked.set_value();
             }});
    looked.get_future().wait();
}

}  // namespace
}  // namespace lepton::model
