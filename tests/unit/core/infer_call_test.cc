#include "lepton/core/infer_call.h"

#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "fakes/fake_loop.h"

namespace lepton {
namespace {

// Writes down what it hears, and hands every answer on.
class Scribe final : public CallStage {
public:
    Scribe(std::string& log, char name) : log_(log), name_(name) {}
    void on_answer(InferCall& call, Last last) noexcept override {
        note(last == Last::kYes ? "!" : "+");
        if (name_ != 'a') call.answer(last);
    }
    void on_written(const InferCall& /*call*/) noexcept override { note("w"); }
    void on_cancelled(InferCall& /*call*/) noexcept override { note("c"); }
    void expire(InferCall& /*call*/) override { note("x"); }

private:
    void note(const char* what) { log_.append(1, name_).append(what); }

    std::string& log_;
    const char name_;
};

class InferCallTest : public testing::Test {
protected:
    InferCallTest() {
        call_.push(outer_);
        call_.push(middle_);
        call_.push(inner_);
    }

    std::string log_;
    Scribe outer_{log_, 'a'};
    Scribe middle_{log_, 'b'};
    Scribe inner_{log_, 'c'};
    InferCall call_;
};

TEST_F(InferCallTest, AnswerAndLastWordPassEveryStageInnermostFirst) {
    call_.answer();
    call_.written();
    EXPECT_EQ(log_, "c!b!a!cwbwaw");
}

TEST_F(InferCallTest, StageWithoutInterestHandsTheAnswerOn) {
    class Silent final : public CallStage {
    } silent;
    call_.push(silent);
    call_.answer(Error{ErrorCode::kQueueFull, "full"});
    call_.written();
    EXPECT_EQ(log_, "c!b!a!cwbwaw");
    EXPECT_EQ(call_.response.error->code, ErrorCode::kQueueFull);
}

TEST_F(InferCallTest, PartsOfAStreamEachTakeTheWholeWay) {
    call_.answer(Last::kNo);
    call_.answer(Last::kNo);
    call_.answer(Last::kYes);
    EXPECT_EQ(log_, "c+b+a+c+b+a+c!b!a!");
}

TEST_F(InferCallTest, ClientThatGoesAwayIsTheInnermostStagesAffair) {
    call_.cancel();
    EXPECT_TRUE(call_.cancelled);
    EXPECT_EQ(log_, "cc");
}

TEST_F(InferCallTest, ClientThatGoesAwayBetweenPartsIsReported) {
    call_.answer(Last::kNo);
    log_.clear();
    call_.cancel();
    EXPECT_EQ(log_, "cc");
}

TEST_F(InferCallTest, NobodyIsAskedToCancelWhatIsAnswered) {
    call_.answer();
    log_.clear();
    call_.cancel();
    EXPECT_TRUE(call_.cancelled);
    EXPECT_EQ(log_, "");
}

TEST_F(InferCallTest, DeadlineIsTheInnermostStagesAffair) {
    call_.expire();
    EXPECT_EQ(log_, "cx");
}

TEST_F(InferCallTest, StageMayKeepTheAnswerAndHandItOnLater) {
    class Keeper final : public CallStage {
        void on_answer(InferCall& /*call*/, Last /*last*/) noexcept override {}
    } keeper;
    call_.push(keeper);
    call_.answer();
    EXPECT_EQ(log_, "");
    call_.answer();
    EXPECT_EQ(log_, "c!b!a!");
}

TEST_F(InferCallTest, AnswerOfAnotherThreadComesOnTheLoop) {
    fakes::FakeLoop loop;
    call_.loop = &loop;
    std::thread([this] { call_.answer(); }).join();
    EXPECT_EQ(log_, "");
    EXPECT_TRUE(loop.run_posted());
    EXPECT_EQ(log_, "c!b!a!");
}

TEST_F(InferCallTest, OwnedStageLivesUntilTheCallIsReset) {
    auto owned = std::make_shared<Scribe>(log_, 'd');
    const std::weak_ptr<Scribe> watch = owned;
    call_.push(std::move(owned));
    call_.answer();
    call_.written();
    EXPECT_FALSE(watch.expired());
    call_.reset();
    EXPECT_TRUE(watch.expired());
    log_.clear();
    call_.push(outer_);
    call_.answer();
    EXPECT_EQ(log_, "a!");
}

}  // namespace
}  // namespace lepton
