// Models that are tried in a process of their own, and what is kept of it.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/fake/fake_engine.h"
#include "lepton/model/loading/model_loader.h"
#include "support/fake_models.h"
#include "support/temp_folder.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;
using lepton::testing::fake_model;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ModelProbeTest : public ::testing::Test {
protected:
    Result<std::shared_ptr<LoadedModel>> load(const std::string& more,
                                              const std::string& config = "") {
        const auto parsed = parse_model_config(config, "config.pbtxt");
        EXPECT_TRUE(parsed) << parsed.error().message;
        file_ = folder_.write("m/1/model.fake", fake_model("-1, 4", more));
        return ModelLoader(engines_, options_).load("m", 1, file_, *parsed);
    }
    std::string error_of(const std::string& more) {
        const auto model = load(more);
        return model ? "loaded" : model.error().message;
    }
    std::string origin_of(const std::string& more, const std::string& config = "") {
        const auto model = load(more, config);
        if (!model) return model.error().message;
        for (const auto& [key, value] : (*model)->spec->properties) {
            if (key == "tuning") return value;
        }
        return "untold";
    }
    std::vector<fs::path> records() const {
        std::vector<fs::path> files;
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(options_.records_dir, none)) {
            files.push_back(entry.path());
        }
        return files;
    }

    lepton::testing::TempFolder folder_;
    engine::EngineRegistry engines_{LEPTON_ENGINE_FOLDER};
    ModelLoader::Options options_{.cores = 1, .records_dir = folder_.path() / "records"};
    fs::path file_;
};

constexpr const char* kSound = R"("probe": true)";

TEST_F(ModelProbeTest, ASignalIsAnErrorThatNamesShapeAndSignal) {
    const std::string error = error_of(R"("crash": "SIGFPE")");
    EXPECT_EQ(error,
              file_.string() + ": the model crashed with SIGFPE in warm-up, at shape x [1,4]");
    EXPECT_THAT(error_of(R"("crash": "SIGSEGV", "crash_rows": 16)"),
                EndsWith("the model crashed with SIGSEGV in warm-up, at shape x [16,4]"));
    EXPECT_THAT(error_of(R"("crash": "SIGABRT")"), HasSubstr("crashed with SIGABRT"));
    EXPECT_TRUE(records().empty());
}

TEST_F(ModelProbeTest, AnExitIsAnErrorToo) {
    EXPECT_THAT(error_of(R"("crash": "exit")"),
                HasSubstr("ended its process with exit status 7 in warm-up, at shape x [1,4]"));
}

TEST_F(ModelProbeTest, AModelThatHangsIsGivenUp) {
    options_.longest_step = std::chrono::milliseconds(200);
    EXPECT_THAT(error_of(R"("crash": "hang")"),
                HasSubstr("the model hangs in warm-up, at shape x [1,4]"));
}

TEST_F(ModelProbeTest, ErrorsOfTheModelComeThroughAsTheyAre) {
    EXPECT_THAT(error_of(R"("probe": true, "fail": "out of luck")"),
                AllOf(StartsWith(file_.string()), HasSubstr("warm-up fails: out of luck")));
    EXPECT_THAT(error_of(R"("probe": true, "fail_load": "no such op")"), HasSubstr("no such op"));
}

TEST_F(ModelProbeTest, CancelEndsIt) {
    const auto parsed = parse_model_config("", "config.pbtxt");
    const fs::path file =
        folder_.write("m/1/model.fake", fake_model("-1, 4", R"("crash": "hang")"));
    ModelLoader loader(engines_, options_);
    Result<std::shared_ptr<LoadedModel>> model;
    {
        const std::jthread loading([&] { model = loader.load("m", 1, file, *parsed); });
        loader.cancel();
    }
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(loader.load("m", 1, file, *parsed));
}

TEST_F(ModelProbeTest, SettingsReachTheOtherProcess) {
    const auto model = load(kSound, "max_batch_size: 8\ninput { name: \"x\" dims: [ 4 ] }");
    ASSERT_TRUE(model) << model.error().message;
    std::vector<std::int64_t> rows;
    for (const ServiceTime& service : (*model)->service_times) rows.push_back(service.rows);
    EXPECT_THAT(rows, ::testing::ElementsAre(1, 2, 4, 8));
    EXPECT_THAT(load(kSound, "parameters { key: \"precision\" value { string_value: \"bf16\" } }")
                    .error()
                    .message,
                HasSubstr("precision bf16"));
}

TEST_F(ModelProbeTest, WhatWasTriedIsKnownTheNextTime) {
    EXPECT_EQ(origin_of(kSound), "as it was tried");
    ASSERT_EQ(records().size(), 1u);
    EXPECT_EQ(origin_of(kSound), "recorded in " + records()[0].filename().string());
    // Another configuration, and another content, are other models.
    EXPECT_EQ(origin_of(kSound, "max_batch_size: 2"), "as it was tried");
    EXPECT_EQ(origin_of(R"("probe": true, "add": 1)"), "as it was tried");
    EXPECT_EQ(records().size(), 3u);
}

TEST_F(ModelProbeTest, ARecordInTheFactsOfTheServiceCounts) {
    EXPECT_EQ(origin_of(kSound), "as it was tried");
    std::ifstream file(records()[0]);
    const std::string record{std::istreambuf_iterator<char>(file), {}};
    fs::remove(records()[0]);
    folder_.write(
        "m/lepton.json",
        R"({"format": 1, "versions": {"1": {"machine": [1.5], "tuning": )" + record + "}}}");
    EXPECT_EQ(origin_of(kSound), "recorded in lepton.json");
    folder_.write("m/lepton.json", R"({"versions": {"2": {"tuning": )" + record + "}}}");
    EXPECT_EQ(origin_of(kSound), "as it was tried");
}

TEST_F(ModelProbeTest, ADamagedRecordIsNotBelieved) {
    EXPECT_EQ(origin_of(kSound), "as it was tried");
    std::ofstream(records()[0]) << "{\"format\": 1, \"subj";
    EXPECT_EQ(origin_of(kSound), "as it was tried");
    EXPECT_THAT(origin_of(kSound), StartsWith("recorded in"));
}

TEST_F(ModelProbeTest, ARecordThatDoesNotHoldIsTriedAnew) {
    EXPECT_EQ(origin_of(kSound), "as it was tried");
    const auto config = parse_model_config("", "config.pbtxt");
    const auto engine = engines_.by_name("fake");
    const auto subject = TuningSubject::of(file_, **engine, *config, {}, 1);
    ASSERT_TRUE(subject);
    // Says that rows may share a run; the model that the record now is of has no rows.
    const fs::path other = folder_.write("n/1/model.fake", fake_model("4", kSound));
    auto changed = TuningSubject::of(other, **engine, *config, {}, 1);
    TuningPlan plan;
    plan.batches = true;
    plan.batching = "yes";
    plan.warm_up = "done";
    plan.service_times = {{1, {}}, {4, {}}};
    TuningRecords(options_.records_dir).keep(*changed, plan);
    const auto model = ModelLoader(engines_, options_).load("n", 1, other, *config);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_FALSE((*model)->spec->batches);
}

TEST_F(ModelProbeTest, WhatIsMeasuredBesideIsKept) {
    EXPECT_EQ(origin_of(kSound), "as it was tried");
    const auto config = parse_model_config("", "config.pbtxt");
    const auto plan = ModelLoader(engines_, options_).tune(file_, *config);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_TRUE(plan->tuned);
    const auto model = load(kSound);
    ASSERT_TRUE(model);
    EXPECT_TRUE((*model)->plan.tuned);
}

TEST_F(ModelProbeTest, AModelMayBeMeasuredBeforeItIsReady) {
    options_.tuning = TuningTime::kFirst;
    EXPECT_EQ(origin_of(kSound), "measured at start");
    EXPECT_THAT(origin_of(kSound), StartsWith("recorded in"));
}

TEST_F(ModelProbeTest, WithoutTheProgramAModelIsTriedHere) {
    engine::EngineRegistry elsewhere("/nowhere");
    elsewhere.add(std::make_unique<fake::FakeEngine>());
    const auto config = parse_model_config("", "config.pbtxt");
    const fs::path file = folder_.write("m/1/model.fake", fake_model("-1, 4", kSound));
    const auto model = ModelLoader(elsewhere, options_).load("m", 1, file, *config);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_TRUE((*model)->plan.tuned);
}

std::string declared(const std::string& data, const std::string& more = "") {
    return R"(model_warmup { name: "typical" inputs { key: "x" value { )"
           R"(data_type: TYPE_FP32 dims: [ 3, 4 ] )" +
           data + " } } " + more + " }";
}

TEST_F(ModelProbeTest, WhatIsDeclaredIsTriedInTheOtherProcess) {
    const auto model =
        load(R"("crash": "SIGSEGV", "crash_rows": 3)", declared("random_data: true"));
    ASSERT_FALSE(model);
    EXPECT_THAT(
        model.error().message,
        EndsWith("the model crashed with SIGSEGV in warm-up, at shape x [3,4] of warm-up sample "
                 "\"typical\""));
    EXPECT_EQ(origin_of(kSound, declared("random_data: true")), "as it was tried");
}

TEST_F(ModelProbeTest, AnotherWarmUpIsMeasuredAgain) {
    const std::string from_file = declared("input_data_file: \"x.bin\"");
    folder_.write("m/warmup/x.bin", std::string(48, 'a'));
    EXPECT_EQ(origin_of(kSound, from_file), "as it was tried");
    EXPECT_THAT(origin_of(kSound, from_file), StartsWith("recorded in"));
    folder_.write("m/warmup/x.bin", std::string(48, 'b'));
    EXPECT_EQ(origin_of(kSound, from_file), "as it was tried");
    EXPECT_EQ(origin_of(kSound, declared("zero_data: true")), "as it was tried");
    EXPECT_EQ(origin_of(kSound), "as it was tried");
}

TEST_F(ModelProbeTest, WhatIsDeclaredRunsBeforeAModelOfARecordIsReady) {
    // Nothing in the record says so: the second load makes sessions, and runs nothing else.
    const std::string often = declared("zero_data: true", "count: 40");
    const std::string slow = R"("probe": true, "delay_us_per_row": 1000)";
    EXPECT_EQ(origin_of(slow, often), "as it was tried");
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THAT(origin_of(slow, often), StartsWith("recorded in"));
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(3 * 40));
}

}  // namespace
}  // namespace lepton::model
