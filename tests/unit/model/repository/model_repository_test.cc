#include "lepton/model/repository/model_repository.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/fake/fake_engine.h"
#include "lepton/model/store/disk_store.h"
#include "support/eventually.h"
#include "support/fake_models.h"
#include "support/temp_folder.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;
using lepton::testing::eventually;
using lepton::testing::fake_model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::unique_ptr<ModelStore> store_of(const fs::path& root) {
    return std::make_unique<DiskStore>(std::vector<fs::path>{root});
}

class ModelRepositoryTest : public ::testing::Test, public ModelListener {
protected:
    ModelRepositoryTest() { engines_.add(std::make_unique<fake::FakeEngine>()); }

    void on_ready(std::shared_ptr<LoadedModel> model) override {
        note("+" + model->spec->name + ":" + model->spec->version);
    }
    void on_retired(const ModelSpec& spec) override { note("-" + spec.name + ":" + spec.version); }
    void on_reconfigured(const ModelSpec&, const QueueOptions&, std::int64_t) override {}
    [[nodiscard]] LoadCounters load_of(const ModelSpec&) const override { return {}; }

    void write_model(const std::string& name, int version, const std::string& more = "") {
        folder_.write(fs::path(name) / std::to_string(version) / "model.fake",
                      fake_model("-1, 4", more));
    }
    void open() {
        repository_ =
            std::make_unique<ModelRepository>(engines_, store_of(folder_.path()), *this, options_);
    }
    void start() {
        open();
        const Result<> started = repository_->start();
        ASSERT_TRUE(started) << started.error().message;
        repository_->wait_until_settled();
    }
    void load(const std::string& name) {
        ASSERT_TRUE(repository_->load(name));
        repository_->wait_until_settled();
    }
    void note(std::string event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
        noted_.notify_all();
    }
    std::vector<std::string> events() {
        const std::lock_guard lock(mutex_);
        return events_;
    }
    Error error_of(const std::string& name, const std::string& version = "") {
        const auto found = repository_->find(name, version);
        return found ? Error{ErrorCode::kInternal, "found"} : found.error();
    }

    lepton::testing::TempFolder folder_;
    engine::EngineRegistry engines_{LEPTON_ENGINE_FOLDER};
    std::mutex mutex_;
    std::vector<std::string> events_;
    void wait_for_event(const std::string& event, std::ptrdiff_t times) {
        std::unique_lock lock(mutex_);
        noted_.wait(lock,
                    [&] { return std::count(events_.begin(), events_.end(), event) >= times; });
    }

    std::int64_t largest_batch(const std::string& name) {
        const auto now = repository_->configuration(name, "");
        for (const ModelSetting& setting : now.value().settings) {
            if (setting.name == "max_batch_size") return std::get<std::int64_t>(setting.value);
        }
        return 0;
    }

    ModelRepository::Options options_;
    std::condition_variable noted_;
    std::unique_ptr<ModelRepository> repository_;
};

TEST_F(ModelRepositoryTest, AFileOfTheWarmUpThatChangesIsAReasonToLoadAgain) {
    write_model("a", 1);
    folder_.write("a/config.pbtxt",
                  R"(model_warmup { inputs { key: "x" value {
                       data_type: TYPE_FP32 dims: [ 1, 4 ] input_data_file: "x.bin" } } })");
    const fs::path file = folder_.write("a/warmup/x.bin", std::string(16, '\0'));
    start();
    EXPECT_THAT(events(), ElementsAre("+a:1"));
    load("a");
    EXPECT_THAT(events(), ElementsAre("+a:1")) << "nothing has changed";
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
    load("a");
    EXPECT_THAT(events(), ElementsAre("+a:1", "+a:1"));
    folder_.write("a/warmup/x.bin", "too short");
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(2));
    load("a");
    ASSERT_EQ(repository_->failures().size(), 1u);
    EXPECT_THAT(repository_->failures()[0].error.message,
                HasSubstr("warm-up sample 1: input \"x\" has shape [1,4], which takes 16 bytes"));
    EXPECT_TRUE(repository_->find("a", "1")) << "the old one serves";
    const auto now = repository_->configuration("a", "");
    ASSERT_EQ(now.value().warm_up.size(), 1u);
    EXPECT_EQ(now.value().warm_up[0].inputs[0].file, "x.bin");
}

TEST_F(ModelRepositoryTest, LoadsEveryModelOfItsRoots) {
    write_model("a", 1);
    write_model("b", 7);
    start();
    EXPECT_TRUE(repository_->ready());
    EXPECT_THAT(repository_->models(), ElementsAre("a", "b"));
    EXPECT_THAT(repository_->versions("b"), ElementsAre("7"));
    EXPECT_THAT(events(), ElementsAre("+a:1", "+b:7"));
    ASSERT_TRUE(repository_->find("a", ""));
    EXPECT_EQ((*repository_->find("b", "7"))->version, "7");
    EXPECT_THAT(repository_->failures(), IsEmpty());
}

// As one whose files are elsewhere: notes what it is asked to bring.
class DistantStore final : public ModelStore {
public:
    DistantStore(const fs::path& root, std::vector<std::string>& fetched)
        : disk_({root}), fetched_(fetched) {}
    [[nodiscard]] std::string label() const override { return "distant"; }
    Result<std::vector<ModelFolder>> list() override { return disk_.list(); }
    ModelFolder list(const ModelFolder& model) override { return disk_.list(model); }
    Result<fs::path> fetch(const ModelFolder& model,
                           std::int64_t version,
                           const std::string& file_name) override {
        fetched_.push_back(model.name + ":" + std::to_string(version));
        if (model.name == "lost") return fail(ErrorCode::kUnavailable, "nobody answers");
        return disk_.fetch(model, version, file_name);
    }

private:
    DiskStore disk_;
    std::vector<std::string>& fetched_;
};

TEST_F(ModelRepositoryTest, FetchesTheVersionsThatAreServedAndNoOthers) {
    write_model("a", 1);
    write_model("a", 2);
    write_model("lost", 1);
    std::vector<std::string> fetched;
    repository_ = std::make_unique<ModelRepository>(
        engines_, std::make_unique<DistantStore>(folder_.path(), fetched), *this, options_);
    ASSERT_TRUE(repository_->start());
    repository_->wait_until_settled();
    EXPECT_THAT(fetched, ElementsAre("a:2", "lost:1"));
    EXPECT_THAT(repository_->models(), ElementsAre("a"));
    EXPECT_THAT(error_of("lost").message, HasSubstr("nobody answers"));
    repository_.reset();
}

TEST_F(ModelRepositoryTest, IsNotReadyBeforeItStarted) {
    open();
    EXPECT_FALSE(repository_->ready());
}

TEST_F(ModelRepositoryTest, IsReadyWithoutModels) {
    start();
    EXPECT_TRUE(repository_->ready());
    EXPECT_THAT(repository_->models(), IsEmpty());
}

TEST_F(ModelRepositoryTest, ServesTheLatestVersionUnlessTheConfigurationSaysMore) {
    write_model("a", 1);
    write_model("a", 2);
    write_model("b", 1);
    write_model("b", 2);
    folder_.write("b/config.pbtxt", "version_policy { all { } }");
    start();
    EXPECT_THAT(repository_->versions("a"), ElementsAre("2"));
    EXPECT_THAT(repository_->versions("b"), ElementsAre("1", "2"));
    EXPECT_EQ((*repository_->find("b", ""))->version, "2");
    EXPECT_EQ((*repository_->find("b", "1"))->version, "1");
}

TEST_F(ModelRepositoryTest, ABadModelStopsNoOtherButReadiness) {
    write_model("bad", 1, R"("fail_load": "no such op")");
    write_model("good", 1);
    start();
    EXPECT_FALSE(repository_->ready());
    EXPECT_THAT(repository_->models(), ElementsAre("good"));
    EXPECT_EQ(error_of("bad").code, ErrorCode::kUnavailable);
    EXPECT_THAT(error_of("bad").message, HasSubstr("model \"bad\" failed to load: "));
    EXPECT_THAT(error_of("bad").message, HasSubstr("no such op"));
    ASSERT_EQ(repository_->failures().size(), 1u);
    EXPECT_EQ(repository_->failures()[0].name, "bad");
    EXPECT_EQ(repository_->failures()[0].version, "1");
}

TEST_F(ModelRepositoryTest, ReadinessNamesTheModelsThatFailedAndWhy) {
    write_model("bad", 1, R"("fail_load": "no such op")");
    write_model("good", 1);
    open();
    EXPECT_EQ(repository_->ready().error().message, "the server is not ready: it is starting");
    ASSERT_TRUE(repository_->start());
    repository_->wait_until_settled();
    const std::string text = repository_->ready().error().message;
    EXPECT_THAT(text,
                StartsWith("the server is not ready: model \"bad\" failed to load: " +
                           (folder_.path() / "bad/1/model.fake").string()));
    EXPECT_THAT(text, HasSubstr("no such op"));
    repository_->begin_drain();
    EXPECT_EQ(repository_->ready().error().message, "the server is not ready: it is draining");
}

TEST_F(ModelRepositoryTest, WithoutStrictReadinessFailedModelsDoNotCount) {
    write_model("bad", 1, R"("fail_load": "no such op")");
    write_model("good", 1);
    options_.strict_readiness = false;
    start();
    EXPECT_TRUE(repository_->ready());
    EXPECT_EQ(repository_->failures().size(), 1u);
}

TEST_F(ModelRepositoryTest, WithoutStrictReadinessSomethingHasToServe) {
    write_model("bad", 1, R"("fail_load": "no such op")");
    options_.strict_readiness = false;
    start();
    EXPECT_EQ(repository_->ready().error().message, "the server is not ready: no model serves");
}

TEST_F(ModelRepositoryTest, ACrashInWarmUpIsAFailureOfThatModelAlone) {
    write_model("bad", 1, R"("crash": "SIGSEGV")");
    write_model("good", 1);
    start();
    EXPECT_THAT(repository_->models(), ElementsAre("good"));
    EXPECT_THAT(error_of("bad").message,
                HasSubstr("the model crashed with SIGSEGV in warm-up, at shape x [1,4]"));
}

TEST_F(ModelRepositoryTest, AModelThatWasOnlyTriedIsMeasuredBesideAndReplaced) {
    // More than 1 ms for a run, however many rows it has: that batches pay is found by measuring.
    write_model("slow", 1, R"("probe": true, "delay_us": 3000)");
    options_.tuning_delay = Clock::duration::zero();
    start();
    EXPECT_TRUE(repository_->ready());
    EXPECT_EQ(largest_batch("slow"), 1);
    wait_for_event("+slow:1", 2);
    // It is published before it is described and counted.
    ASSERT_TRUE(eventually([&] { return largest_batch("slow") > 1; }));
    EXPECT_EQ(repository_->tuned_changes(), 1u);
    EXPECT_EQ(largest_batch("slow"), 16);
}

TEST_F(ModelRepositoryTest, CancelEndsAModelThatHangs) {
    write_model("bad", 1, R"("crash": "hang")");
    open();
    ASSERT_TRUE(repository_->start());
    repository_->cancel();
    repository_->wait_until_settled();
    repository_->stop();
    EXPECT_THAT(repository_->models(), IsEmpty());
}

TEST_F(ModelRepositoryTest, AModelThatIsMendedAndLoadedAgainMakesTheServerReady) {
    write_model("m", 1, R"("fail_load": "no such op")");
    start();
    EXPECT_FALSE(repository_->ready());
    write_model("m", 1);
    load("m");
    EXPECT_TRUE(repository_->ready());
    EXPECT_THAT(repository_->failures(), IsEmpty());
}

TEST_F(ModelRepositoryTest, BrokenConfigurationsAndModelsWithoutFilesAreFailuresOfTheModel) {
    write_model("a", 1);
    folder_.write("a/config.pbtxt", "nmae: \"a\"");
    write_model("b", 1);
    folder_.write("b/config.pbtxt", "name: \"other\"");
    folder_.write("c/config.pbtxt", "");
    write_model("d", 1);
    folder_.write("d/config.pbtxt", "version_policy { specific { versions: 9 } }");
    folder_.write("e/1/weights", "");
    start();
    EXPECT_FALSE(repository_->ready());
    EXPECT_THAT(error_of("a").message, HasSubstr("unknown field \"nmae\""));
    EXPECT_THAT(error_of("b").message, HasSubstr("the folder is called \"b\""));
    EXPECT_THAT(error_of("c").message, HasSubstr("holds no version folder"));
    EXPECT_THAT(error_of("d").message, HasSubstr("no version that version_policy serves"));
    EXPECT_THAT(error_of("e").message, HasSubstr("holds no file model.<extension>"));
}

TEST_F(ModelRepositoryTest, RootsThatCannotBeUsedAreAnError) {
    ModelRepository repository(engines_, store_of(folder_.path() / "none"), *this, {});
    EXPECT_EQ(repository.start().error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(repository.ready());
}

TEST_F(ModelRepositoryTest, WhatIsToldOfUnknownModelsIsBounded) {
    for (int i = 0; i < 12; ++i) write_model("m" + std::to_string(10 + i), 1);
    start();
    EXPECT_EQ(error_of("b").message,
              "no model \"b\", there are: m10, m11, m12, m13, m14, m15, m16, m17 and 4 more");
    EXPECT_LT(error_of(std::string(100'000, 'x')).message.size(), 1000U);
}

TEST_F(ModelRepositoryTest, UnknownModelsAndVersionsAreToldWhatIsThere) {
    write_model("a", 1);
    write_model("a", 2);
    folder_.write("a/config.pbtxt", "version_policy { all { } }");
    start();
    EXPECT_EQ(error_of("b").code, ErrorCode::kModelNotFound);
    EXPECT_EQ(error_of("b").message, "no model \"b\", there are: a");
    EXPECT_EQ(error_of("a", "3").code, ErrorCode::kModelNotFound);
    EXPECT_EQ(error_of("a", "3").message, "model \"a\" has no version \"3\", there are: 1, 2");
    EXPECT_EQ(error_of("a", "01").code, ErrorCode::kModelNotFound);
    EXPECT_EQ(repository_->load("b").error().code, ErrorCode::kModelNotFound);
    EXPECT_EQ(repository_->unload("b").error().code, ErrorCode::kModelNotFound);
}

TEST_F(ModelRepositoryTest, AModelIsUnavailableWhileItLoads) {
    // Opening a pipe waits for its writer, so that the load lasts as long as the test wants.
    fs::create_directories(folder_.path() / "slow/1");
    const fs::path pipe = folder_.path() / "slow/1/model.fake";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    open();
    ASSERT_TRUE(repository_->start());
    EXPECT_EQ(error_of("slow").code, ErrorCode::kUnavailable);
    EXPECT_EQ(error_of("slow").message, "model \"slow\" is loading");
    EXPECT_FALSE(repository_->ready());
    std::ofstream(pipe) << fake_model("-1, 4");
    repository_->wait_until_settled();
    EXPECT_TRUE(repository_->ready());
    EXPECT_TRUE(repository_->find("slow", "1"));
}

TEST_F(ModelRepositoryTest, ANewVersionReplacesTheOldOneOnceItIsReady) {
    write_model("m", 1);
    start();
    write_model("m", 2);
    load("m");
    EXPECT_THAT(repository_->versions("m"), ElementsAre("2"));
    EXPECT_THAT(events(), ElementsAre("+m:1", "+m:2", "-m:1"));
}

TEST_F(ModelRepositoryTest, ANewVersionThatFailsLeavesTheOldOneServing) {
    write_model("m", 1);
    start();
    write_model("m", 2, R"("fail_load": "no such op")");
    load("m");
    EXPECT_TRUE(repository_->ready());
    EXPECT_THAT(repository_->versions("m"), ElementsAre("1"));
    EXPECT_EQ((*repository_->find("m", ""))->version, "1");
    EXPECT_THAT(error_of("m", "2").message, HasSubstr("no such op"));
    EXPECT_EQ(repository_->failures().size(), 1u);
    EXPECT_THAT(events(), ElementsAre("+m:1"));
}

TEST_F(ModelRepositoryTest, LoadingAgainWithoutAChangeDoesNothing) {
    write_model("m", 1);
    start();
    load("m");
    EXPECT_THAT(events(), ElementsAre("+m:1"));
    const fs::path file = folder_.path() / "m/1/model.fake";
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
    load("m");
    EXPECT_THAT(events(), ElementsAre("+m:1", "+m:1"));
}

TEST_F(ModelRepositoryTest, UnloadingRetiresEveryVersionAndLoadingBringsThemBack) {
    write_model("m", 1);
    start();
    ASSERT_TRUE(repository_->unload("m"));
    repository_->wait_until_settled();
    EXPECT_THAT(repository_->models(), IsEmpty());
    EXPECT_EQ(error_of("m").code, ErrorCode::kUnavailable);
    EXPECT_EQ(error_of("m").message, "model \"m\" is unloaded");
    EXPECT_TRUE(repository_->ready());
    load("m");
    EXPECT_THAT(repository_->models(), ElementsAre("m"));
    EXPECT_THAT(events(), ElementsAre("+m:1", "-m:1", "+m:1"));
}

TEST_F(ModelRepositoryTest, AModelThatAppearsLaterCanBeLoaded) {
    write_model("a", 1);
    start();
    write_model("b", 1);
    EXPECT_EQ(error_of("b").code, ErrorCode::kModelNotFound);
    load("b");
    EXPECT_THAT(repository_->models(), ElementsAre("a", "b"));
}

TEST_F(ModelRepositoryTest, DrainingEndsReadinessAndNothingElse) {
    write_model("m", 1);
    start();
    repository_->begin_drain();
    EXPECT_FALSE(repository_->ready());
    EXPECT_TRUE(repository_->find("m", ""));
}

}  // namespace
}  // namespace lepton::model
