#include "lepton/pipeline/pipeline.h"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "fakes/fake_session.h"
#include "support/eventually.h"

namespace lepton::pipeline {
namespace {

using namespace std::chrono_literals;
using lepton::testing::eventually;

// Knows no model, and says so.
class EmptyCatalog final : public ModelCatalog {
public:
    [[nodiscard]] Result<> ready() const override { return {}; }
    [[nodiscard]] Result<std::shared_ptr<const ModelSpec>> find(std::string_view name,
                                                                std::string_view) const override {
        return fail(ErrorCode::kModelNotFound, "no model \"" + std::string(name) + "\"");
    }
    [[nodiscard]] std::vector<std::string> versions(std::string_view) const override { return {}; }
    [[nodiscard]] std::vector<std::string> models() const override { return {}; }
};

std::shared_ptr<model::LoadedModel> loaded(std::string name, std::string version) {
    auto spec = std::make_shared<ModelSpec>();
    spec->name = std::move(name);
    spec->version = std::move(version);
    spec->inputs = {{"x", DataType::kFp32, {-1, 2}}};
    spec->outputs = {{"y", DataType::kFp32, {-1, 2}}};
    spec->batches = true;
    auto model = std::make_shared<model::LoadedModel>();
    model->spec = std::move(spec);
    model->sessions.push_back(std::make_unique<fakes::FakeSession>());
    model->service_times = {{1, 10us}};
    return model;
}

// Which version answered, or the error's text.
struct Said final : CallStage {
    void on_answer(InferCall& done, Last /*last*/) noexcept override {
        text = done.response.error ? done.response.error->message : done.response.model->version;
    }
    std::string text;
};

class PipelineTest : public ::testing::Test {
protected:
    std::string ask(std::string_view name, std::string_view version = {}) {
        InferCall call;
        const std::array<float, 2> data{};
        Said said;
        call.push(said);
        call.request.model_name = name;
        call.request.model_version = version;
        call.request.inputs.push_back(
            {"x", {DataType::kFp32, {1, 2}, std::as_bytes(std::span(data))}});
        pipeline_->infer(call);
        return said.text;
    }

    EmptyCatalog catalog_;
    observe::Metrics metrics_;
    std::optional<Pipeline> pipeline_{std::in_place, catalog_, metrics_, 1};
};

TEST_F(PipelineTest, LatestVersionAnswersUnlessOneIsNamed) {
    pipeline_->publish(loaded("m", "9"));
    pipeline_->publish(loaded("m", "10"));
    EXPECT_EQ(ask("m"), "10");
    EXPECT_EQ(ask("m", "9"), "9");
}

TEST_F(PipelineTest, UnknownModelIsExplainedByTheCatalog) {
    EXPECT_EQ(ask("nope"), "no model \"nope\"");
    pipeline_->publish(loaded("m", "1"));
    EXPECT_EQ(ask("m", "2"), "no model \"m\"");
    EXPECT_EQ(ask("m", "x"), "no model \"m\"");
}

TEST_F(PipelineTest, RetiredVersionLeavesItsPlaceToTheOneBefore) {
    pipeline_->publish(loaded("m", "1"));
    pipeline_->publish(loaded("m", "2"));
    pipeline_->retire("m", "2");
    EXPECT_EQ(ask("m"), "1");
    pipeline_->retire("m", "1");
    EXPECT_EQ(ask("m"), "no model \"m\"");
}

TEST_F(PipelineTest, VersionThatIsPublishedAgainReplacesTheOldOne) {
    auto old = loaded("m", "1");
    const std::weak_ptr<model::LoadedModel> watch = old;
    pipeline_->publish(std::move(old));
    pipeline_->publish(loaded("m", "1"));
    EXPECT_TRUE(watch.expired());
    EXPECT_EQ(ask("m"), "1");
}

// Keeps what came, for another thread to see.
struct Awaited final : CallStage {
    void on_answer(InferCall& done, Last /*last*/) noexcept override {
        error = done.response.error;
        complete = true;
    }
    std::atomic<bool> complete = false;
    std::optional<Error> error;
};

// A model whose runs last until the gate opens, and a call to it.
class SlowModelTest : public PipelineTest {
protected:
    explicit SlowModelTest(Device device = {}, int cores = 0) {
        pipeline_.emplace(catalog_, metrics_, 1, cores);
        auto slow = loaded("slow", "1");
        slow->device = device;
        slow->service_times = {{1, 100ms}};  // For the instance's own thread.
        static_cast<fakes::FakeSession&>(*slow->sessions[0]).before_run = [this] {
            running_ = true;
            gate_.wait(false);
        };
        watch_ = slow;
        pipeline_->publish(std::move(slow));
        infer(call_, answer_);
        EXPECT_TRUE(eventually([&] { return running_.load(); }));
    }
    void TearDown() override {
        open_gate();
        pipeline_.reset();
    }
    void infer(InferCall& call, Awaited& answer, std::string_view name = "slow") {
        call.push(answer);
        call.request.model_name = name;
        call.request.inputs.push_back(
            {"x", {DataType::kFp32, {1, 2}, std::as_bytes(std::span(data_))}});
        pipeline_->infer(call);
    }
    void open_gate() {
        gate_ = true;
        gate_.notify_all();
    }
    // The transport has written the answer.
    void wait_until_written() {
        ASSERT_TRUE(eventually([&] { return answer_.complete.load(); }));
        call_.reset();
    }

    const std::array<float, 2> data_{};
    std::atomic<bool> gate_ = false;
    std::atomic<bool> running_ = false;
    Awaited answer_;
    std::weak_ptr<model::LoadedModel> watch_;
    InferCall call_;
};

TEST_F(SlowModelTest, ReplacedWhileItRunsLetsOthersBeLoadedAndIsFreedOnceItsCallIsWritten) {
    pipeline_->publish(loaded("slow", "1"));
    pipeline_->publish(loaded("other", "1"));
    EXPECT_EQ(ask("slow"), "1");
    EXPECT_EQ(ask("other"), "1");
    EXPECT_FALSE(answer_.complete);
    EXPECT_FALSE(watch_.expired());
    open_gate();
    wait_until_written();
    EXPECT_FALSE(answer_.error);
    ASSERT_TRUE(eventually([&] { return watch_.expired(); }));
}

TEST_F(SlowModelTest, RetiredWhileItRunsAnswersWhatItHasAndTakesNoMore) {
    pipeline_->retire("slow", "1");
    EXPECT_EQ(ask("slow"), "no model \"slow\"");
    EXPECT_FALSE(answer_.complete);
    open_gate();
    wait_until_written();
    EXPECT_FALSE(answer_.error);
    ASSERT_TRUE(eventually([&] { return watch_.expired(); }));
}

TEST_F(SlowModelTest, SeveralDrainAtTheSameTimeAndTheQuickOnesAreNotHeldUp) {
    pipeline_->retire("slow", "1");
    auto quick = loaded("quick", "1");
    const std::weak_ptr<model::LoadedModel> quick_watch = quick;
    pipeline_->publish(std::move(quick));
    pipeline_->retire("quick", "1");
    EXPECT_TRUE(quick_watch.expired());
    EXPECT_FALSE(watch_.expired());
    open_gate();
    wait_until_written();
}

TEST_F(SlowModelTest, EndOfThePipelineWaitsForWhatWasRetired) {
    pipeline_->retire("slow", "1");
    const std::jthread opener([this] { open_gate(); });
    pipeline_.reset();
    EXPECT_TRUE(answer_.complete);
    call_.reset();
    EXPECT_TRUE(watch_.expired());
}

TEST_F(SlowModelTest, AbandonedPipelineRefusesWhatIsQueuedOfTheRetiredAsWell) {
    Awaited waiting;
    InferCall queued;
    infer(queued, waiting);
    pipeline_->retire("slow", "1");
    const std::jthread opener([&, this] {
        EXPECT_TRUE(eventually([&] { return waiting.complete.load(); }));
        open_gate();
    });
    pipeline_->abandon();
    ASSERT_TRUE(waiting.error);
    EXPECT_EQ(waiting.error->message, "the server is stopping");
    EXPECT_TRUE(answer_.complete);
}

// There is one core, and the slow model runs on a device that is not the CPU.
class BudgetTest : public SlowModelTest {
protected:
    static constexpr Device kBusy{DeviceKind::kGpu, 0};

    BudgetTest() : SlowModelTest(kBusy, 1) {}
    void publish(const char* name, Device device) {
        auto model = loaded(name, "1");
        model->device = device;
        model->service_times = {{1, 100ms}};  // Too long to do without asking for its turn.
        pipeline_->publish(std::move(model));
    }
};

TEST_F(BudgetTest, ModelsOfOtherDevicesDoNotWaitForABusyOne) {
    publish("of the cpu", {});
    publish("of another", {DeviceKind::kGpu, 1});
    for (const char* name : {"of the cpu", "of another"}) {
        Awaited answer;
        InferCall call;
        infer(call, answer, name);
        EXPECT_TRUE(eventually([&] { return answer.complete.load(); })) << name;
        EXPECT_FALSE(answer.error) << name;
    }
    EXPECT_FALSE(answer_.complete);
}

TEST_F(BudgetTest, ModelsOfOneDeviceTakeTurns) {
    publish("of the same", kBusy);
    Awaited answer;
    InferCall call;
    infer(call, answer, "of the same");
    EXPECT_GT(metrics_.of("of the same", "1")->pending.load(), 0);
    EXPECT_FALSE(answer.complete);
    open_gate();
    EXPECT_TRUE(eventually([&] { return answer.complete.load(); }));
    EXPECT_TRUE(answer_.complete);
    EXPECT_FALSE(answer.error);
}

}  // namespace
}  // namespace lepton::pipeline
