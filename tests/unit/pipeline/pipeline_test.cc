#include "lepton/pipeline/pipeline.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "fakes/fake_session.h"

namespace lepton::pipeline {
namespace {

using namespace std::chrono_literals;

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

class PipelineTest : public testing::Test {
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
        pipeline_.infer(call);
        return said.text;
    }

    EmptyCatalog catalog_;
    observe::Metrics metrics_;
    Pipeline pipeline_{catalog_, metrics_, 1};
};

TEST_F(PipelineTest, LatestVersionAnswersUnlessOneIsNamed) {
    pipeline_.publish(loaded("m", "9"));
    pipeline_.publish(loaded("m", "10"));
    EXPECT_EQ(ask("m"), "10");
    EXPECT_EQ(ask("m", "9"), "9");
}

TEST_F(PipelineTest, UnknownModelIsExplainedByTheCatalog) {
    EXPECT_EQ(ask("nope"), "no model \"nope\"");
    pipeline_.publish(loaded("m", "1"));
    EXPECT_EQ(ask("m", "2"), "no model \"m\"");
    EXPECT_EQ(ask("m", "x"), "no model \"m\"");
}

TEST_F(PipelineTest, RetiredVersionLeavesItsPlaceToTheOneBefore) {
    pipeline_.publish(loaded("m", "1"));
    pipeline_.publish(loaded("m", "2"));
    pipeline_.retire("m", "2");
    EXPECT_EQ(ask("m"), "1");
    pipeline_.retire("m", "1");
    EXPECT_EQ(ask("m"), "no model \"m\"");
}

TEST_F(PipelineTest, VersionThatIsPublishedAgainReplacesTheOldOne) {
    auto old = loaded("m", "1");
    const std::weak_ptr<model::LoadedModel> watch = old;
    pipeline_.publish(std::move(old));
    pipeline_.publish(loaded("m", "1"));
    EXPECT_TRUE(watch.expired());
    EXPECT_EQ(ask("m"), "1");
}

}  // namespace
}  // namespace lepton::pipeline
