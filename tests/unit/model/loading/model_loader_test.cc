#include "lepton/model/loading/model_loader.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/fake/fake_engine.h"
#include "support/fake_models.h"
#include "support/temp_folder.h"
#include "support/tensors.h"

namespace lepton::model {
namespace {

using lepton::testing::fake_model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ModelLoaderTest : public ::testing::Test {
protected:
    ModelLoaderTest() { engines_.add(std::make_unique<fake::FakeEngine>()); }

    Result<std::shared_ptr<LoadedModel>> load(const std::string& model,
                                              const std::string& config = "",
                                              int cores = 1) {
        const auto parsed = parse_model_config(config, "config.pbtxt");
        EXPECT_TRUE(parsed) << parsed.error().message;
        ModelLoader loader(engines_, {.cores = cores, .cache_dir = {}});
        return loader.load("m", 3, folder_.write("model.fake", model), *parsed);
    }
    std::shared_ptr<LoadedModel> loaded(const std::string& model,
                                        const std::string& config = "",
                                        int cores = 1) {
        auto result = load(model, config, cores);
        EXPECT_TRUE(result) << result.error().message;
        return result ? *std::move(result) : nullptr;
    }
    std::string error_of(const std::string& model, const std::string& config = "") {
        const auto result = load(model, config);
        return result ? "loaded" : result.error().message;
    }

    lepton::testing::TempFolder folder_;
    engine::EngineRegistry engines_{"/nowhere"};
};

std::vector<std::int64_t> row_counts(const LoadedModel& model) {
    std::vector<std::int64_t> rows;
    for (const ServiceTime& service : model.service_times) rows.push_back(service.rows);
    return rows;
}

std::string property(const LoadedModel& model, const std::string& name) {
    for (const auto& [key, value] : model.spec->properties) {
        if (key == name) return value;
    }
    return "none";
}

TEST_F(ModelLoaderTest, CompletesTheSpecFromTheModel) {
    const auto model = loaded(fake_model("-1, 4"));
    EXPECT_EQ(model->spec->name, "m");
    EXPECT_EQ(model->spec->version, "3");
    EXPECT_EQ(model->spec->platform, "fake_json");
    ASSERT_EQ(model->spec->inputs.size(), 1u);
    EXPECT_EQ(model->spec->inputs[0].shape, (Shape{-1, 4}));
    EXPECT_TRUE(model->spec->batches);
    EXPECT_EQ(model->spec->max_batch_size, 0);
    EXPECT_EQ(model->sessions.size(), 1u);
    EXPECT_EQ(property(*model, "engine"), "fake 1");
    EXPECT_EQ(property(*model, "format"), "fake");
    EXPECT_EQ(property(*model, "precision"), "f32");
    EXPECT_EQ(property(*model, "threads"), "1");
}

TEST_F(ModelLoaderTest, PreparesTheRowCountsThatMakeARowCheaper) {
    const auto model = loaded(fake_model("-1, 4", R"("delay_us": 300, "delay": "busy")"));
    EXPECT_THAT(row_counts(*model), ElementsAre(1, 4, 16));
    EXPECT_EQ(property(*model, "batch_sizes"), "1,4,16");
    EXPECT_GE(model->service_times[0].time, std::chrono::microseconds(300));
    EXPECT_THAT(model->sessions[0]->prepared(), ElementsAre(1, 4, 16));
}

TEST_F(ModelLoaderTest, DropsRowCountsThatBringNothing) {
    const auto model = loaded(fake_model("-1, 4", R"("delay_us_per_row": 300, "delay": "busy")"));
    EXPECT_TRUE(model->spec->batches);
    EXPECT_THAT(row_counts(*model), ElementsAre(1));
    EXPECT_THAT(model->sessions[0]->prepared(), ElementsAre(1));
}

TEST_F(ModelLoaderTest, PreparesMoreRowCountsOfASlowModelWhereBatchesPay) {
    const auto model = loaded(fake_model("-1, 4", R"("delay_us": 1500)"));
    EXPECT_THAT(row_counts(*model), ElementsAre(1, 2, 4, 8, 16));
}

TEST_F(ModelLoaderTest, DropsTheProbeOfASlowModelWhereBatchesBringNothing) {
    const auto model = loaded(fake_model("-1, 4", R"("delay_us_per_row": 10000)"));
    EXPECT_TRUE(model->spec->batches);
    EXPECT_THAT(row_counts(*model), ElementsAre(1));
    EXPECT_THAT(model->sessions[0]->prepared(), ElementsAre(1));
}

TEST_F(ModelLoaderTest, DoesNotTryToBatchAModelWhoseRowTakesVeryLong) {
    const auto model = loaded(fake_model("-1, 4", R"("delay_us": 60000)"));
    EXPECT_TRUE(model->spec->batches);
    EXPECT_THAT(row_counts(*model), ElementsAre(1));
}

const std::string kPadTo = R"(parameters { key: "pad_to" value { string_value: "8,16" } })";

TEST_F(ModelLoaderTest, PaddingReachesTheSpec) {
    EXPECT_THAT(loaded(fake_model("-1, -1"), kPadTo)->spec->pad_to, ElementsAre(8, 16));
}

TEST_F(ModelLoaderTest, PaddingOfStringsOrToARowThatIsTooLargeIsAnError) {
    const std::string strings =
        R"({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [-1, -1]}],
            "outputs": [{"name": "y", "datatype": "BYTES", "shape": [-1, -1]}]})";
    EXPECT_THAT(error_of(strings, kPadTo), HasSubstr("BYTES, which cannot be padded"));
    const std::string much = R"(parameters { key: "pad_to" value { string_value: "1048576" } })";
    EXPECT_THAT(error_of(fake_model("-1, -1, -1"), much),
                HasSubstr("makes [1048576,1048576] of a row of \"x\", at most 268435456"));
}

TEST_F(ModelLoaderTest, AModelWhoseRowsDependOnEachOtherDoesNotBatch) {
    const auto model = loaded(fake_model("-1, 4", R"("mix_rows": true)"));
    EXPECT_FALSE(model->spec->batches);
    EXPECT_EQ(property(*model, "batching"),
              "no, the answer to a row depends on the others in its run");
    EXPECT_THAT(row_counts(*model), ElementsAre(1));
    // The request's own shape counts: three rows are one run.
    const std::vector<float> values(12, 1.0F);
    const TensorView input = lepton::testing::view_of(DataType::kFp32, {3, 4}, values);
    TensorView output;
    ASSERT_TRUE(model->sessions[0]->run(1, {&input, 1}, {&output, 1}));
    EXPECT_EQ(output.shape, (Shape{3, 4}));
}

TEST_F(ModelLoaderTest, AModelWithoutABatchAxisDoesNotBatch) {
    const auto model = loaded(fake_model("2, 4"));
    EXPECT_FALSE(model->spec->batches);
    EXPECT_EQ(property(*model, "batching"), "no, the model has no batch axis");
    EXPECT_THAT(row_counts(*model), ElementsAre(1));
}

TEST_F(ModelLoaderTest, AMaxBatchSizeIsPreparedWithThePowersOfTwoBelowIt) {
    const auto model = loaded(fake_model("-1, 4"),
                              "max_batch_size: 6 dynamic_batching { preferred_batch_size: 5 }");
    EXPECT_TRUE(model->spec->batches);
    EXPECT_EQ(model->spec->max_batch_size, 6);
    EXPECT_THAT(row_counts(*model), ElementsAre(1, 2, 4, 5, 6));
}

TEST_F(ModelLoaderTest, AMaxBatchSizeOfOneIsOneRowPerRequest) {
    const auto model = loaded(fake_model("-1, 4", R"("mix_rows": true)"), "max_batch_size: 1");
    EXPECT_TRUE(model->spec->batches);
    EXPECT_EQ(model->spec->max_batch_size, 1);
    EXPECT_THAT(row_counts(*model), ElementsAre(1));
}

TEST_F(ModelLoaderTest, AMaxBatchSizeOfZeroForbidsBatching) {
    const auto model = loaded(fake_model("-1, 4"), "max_batch_size: 0");
    EXPECT_FALSE(model->spec->batches);
    EXPECT_EQ(property(*model, "batching"), "no, max_batch_size is 0");
}

TEST_F(ModelLoaderTest, TheConfigurationsWordOnBatchingWins) {
    const auto model = loaded(fake_model("-1, 4", R"("mix_rows": true)"), "max_batch_size: 4");
    EXPECT_TRUE(model->spec->batches);
    EXPECT_THAT(property(*model, "batching"), StartsWith("yes, because config.pbtxt says so"));
}

TEST_F(ModelLoaderTest, TheConfigurationMayFixOpenAxes) {
    const auto model = loaded(fake_model("-1, -1"), "input { name: \"x\" dims: [ -1, 6 ] }");
    EXPECT_EQ(model->spec->inputs[0].shape, (Shape{-1, 6}));
    const auto batched =
        loaded(fake_model("-1, -1"), "max_batch_size: 2 input { name: \"x\" dims: 6 }");
    EXPECT_EQ(batched->spec->inputs[0].shape, (Shape{-1, 6}));
}

TEST_F(ModelLoaderTest, ContradictionsNameBothSides) {
    EXPECT_EQ(error_of(fake_model("-1, 4"), "input { name: \"z\" }"),
              "config.pbtxt names input \"z\", the model has \"x\"");
    EXPECT_EQ(error_of(fake_model("-1, 4"), "output { name: \"y\" data_type: TYPE_INT8 dims: 4 }"),
              "output \"y\" is INT8 in config.pbtxt and FP32 in the model");
    EXPECT_EQ(error_of(fake_model("-1, 4"), "input { name: \"x\" dims: [ -1, 5 ] }"),
              "input \"x\" has shape [-1,5] in config.pbtxt and [-1,4] in the model");
    EXPECT_EQ(
        error_of(fake_model("-1, 4"), "max_batch_size: 8 input { name: \"x\" dims: [ 2, 4 ] }"),
        "input \"x\" has shape [-1,2,4] in config.pbtxt, batch axis included, and [-1,4] in "
        "the model");
    EXPECT_THAT(error_of(fake_model("2, 4"), "max_batch_size: 8"),
                HasSubstr("says max_batch_size 8, but axis 0"));
}

TEST_F(ModelLoaderTest, ThreadsAreUsedWhereTheyHelp) {
    // The fake engine takes as long with two threads as with one.
    const auto model = loaded(fake_model("-1, 4", R"("delay_us": 400)"), "", 2);
    EXPECT_EQ(property(*model, "threads"), "1");
}

TEST_F(ModelLoaderTest, EachInstanceIsPreparedForTheSameRowCounts) {
    const auto model = loaded(fake_model("-1, 4", R"("delay_us": 200, "delay": "busy")"),
                              "instance_group { count: 3 } max_batch_size: 4");
    ASSERT_EQ(model->sessions.size(), 3u);
    for (const auto& session : model->sessions) {
        EXPECT_THAT(session->prepared(), ElementsAre(1, 2, 4));
    }
    EXPECT_EQ(property(*model, "instances"), "3");
}

TEST_F(ModelLoaderTest, QueueSettingsAreHandedOn) {
    const auto model = loaded(fake_model("-1, 4"),
                              "dynamic_batching { default_queue_policy { max_queue_size: 7 } }");
    EXPECT_EQ(model->queue.max_queued_requests, 7u);
}

TEST_F(ModelLoaderTest, AModelThatDoesNotRunIsNotServed) {
    const std::string message = error_of(fake_model("-1, 4", R"("fail": "out of luck")"));
    EXPECT_THAT(message, StartsWith((folder_.path() / "model.fake").string()));
    EXPECT_THAT(message, HasSubstr("warm-up fails: out of luck"));
}

TEST_F(ModelLoaderTest, AModelOfOpenShapeIsServedEvenWhereNoShapeIsFound) {
    const auto model = loaded(fake_model("-1, -1", R"("fail": "wrong shape")"));
    EXPECT_FALSE(model->spec->batches);
    EXPECT_THAT(property(*model, "warm_up"), HasSubstr("wrong shape"));
    EXPECT_EQ(row_counts(*model), (std::vector<std::int64_t>{1}));
}

// Its made-up inputs are 1, and it does not take them.
const std::string kNotOne =
    R"({"inputs": [{"name": "x", "datatype": "UINT8", "shape": [-1, 4]}],
        "outputs": [{"name": "y", "datatype": "UINT8", "shape": [-1, 4]}],
        "fail": "not one", "fail_when_first_is": 1})";

std::string declared(const std::string& input, const std::string& more = "") {
    return R"(model_warmup { name: "typical" inputs { key: "x" value { )" + input + " } } " + more +
           " }";
}

TEST_F(ModelLoaderTest, WhatIsDeclaredIsTriedAndTimedInsteadOfWhatIsMadeUp) {
    EXPECT_THAT(error_of(kNotOne), HasSubstr("warm-up fails: not one"));
    const auto model =
        loaded(kNotOne, declared("data_type: TYPE_UINT8 dims: [ 2, 4 ] zero_data: true"));
    EXPECT_EQ(property(*model, "warm_up"), "done");
    EXPECT_TRUE(model->spec->batches);
    EXPECT_GT(model->service_times[0].time, Clock::duration::zero());
    const auto whole = loaded(
        kNotOne,
        "max_batch_size: 0 " + declared("data_type: TYPE_UINT8 dims: [ 2, 4 ] zero_data: true"));
    EXPECT_EQ(property(*whole, "warm_up"), "done");
    EXPECT_FALSE(whole->spec->batches);
    const auto eight =
        loaded(kNotOne,
               "max_batch_size: 8 " +
                   declared("data_type: TYPE_UINT8 dims: 4 zero_data: true", "batch_size: 3"));
    EXPECT_THAT(row_counts(*eight), ElementsAre(1, 2, 4, 8));
}

TEST_F(ModelLoaderTest, ADeclaredSampleThatTheModelDoesNotTakeIsAnError) {
    const std::string sample = "warm-up sample \"typical\"";
    EXPECT_THAT(error_of(fake_model("-1, 4", R"("fail": "out of luck")"),
                         declared("data_type: TYPE_FP32 dims: [ 1, 4 ] zero_data: true")),
                HasSubstr(sample + " fails, at shape x [1,4]: out of luck"));
    // Also where the model's shape is open, and what is made up would say nothing.
    EXPECT_THAT(error_of(fake_model("-1, -1", R"("fail": "wrong shape")"),
                         declared("data_type: TYPE_FP32 dims: [ 1, 4 ] zero_data: true")),
                HasSubstr(sample + " fails, at shape x [1,4]: wrong shape"));
    EXPECT_THAT(error_of(fake_model("-1, 4"),
                         declared("data_type: TYPE_FP32 dims: [ 1, 5 ] zero_data: true")),
                HasSubstr(sample + ": input \"x\" has shape [1,5], the model's has [-1,4]"));
    EXPECT_THAT(error_of(fake_model("-1, 4"), "model_warmup { name: \"typical\" }"),
                HasSubstr(sample + ": input \"x\" is missing"));
    EXPECT_THAT(error_of(fake_model("-1, 4"),
                         declared("data_type: TYPE_FP32 dims: [ 1, 4 ] input_data_file: \"x\"")),
                HasSubstr(sample + ": input \"x\" has input_data_file \"x\", but"));
}

TEST_F(ModelLoaderTest, EachSampleRunsOnEachInstanceAsOftenAsItSays) {
    const std::string slow = R"("delay_us_per_row": 1000)";
    const Clock::time_point start = Clock::now();
    loaded(
        fake_model("-1, 4", slow),
        "instance_group { count: 2 } max_batch_size: 2 " +
            declared("data_type: TYPE_FP32 dims: 4 zero_data: true", "count: 30") +
            declared("data_type: TYPE_FP32 dims: 4 random_data: true", "count: 20 batch_size: 2"));
    EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(2 * (30 + 2 * 20)));
}

TEST_F(ModelLoaderTest, ASampleLargerThanTheLargestRunGoesInPieces) {
    const auto model = loaded(fake_model("-1, 4"),
                              declared("data_type: TYPE_FP32 dims: [ 50, 4 ] random_data: true"));
    EXPECT_TRUE(model->spec->batches);
    EXPECT_LT(model->service_times.back().rows, 50);
}

TEST_F(ModelLoaderTest, WhatIsDeclaredIsPaddedToo) {
    const auto model =
        loaded(fake_model("-1, -1"),
               kPadTo + declared("data_type: TYPE_FP32 dims: [ 2, 11 ] zero_data: true"));
    EXPECT_EQ(property(*model, "warm_up"), "done");
    EXPECT_TRUE(model->spec->batches);
}

TEST_F(ModelLoaderTest, BrokenFilesAndUnknownKindsAreNamed) {
    EXPECT_THAT(error_of("{"), HasSubstr("model.fake cannot be read"));
    EXPECT_THAT(error_of(fake_model("-1, 4", R"("fail_load": "no such op")")),
                HasSubstr("no such op"));
    ModelLoader loader(engines_, {});
    const auto unknown = loader.load("m", 1, "model.txt", {});
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::kUnsupported);
}

TEST_F(ModelLoaderTest, APrecisionThatTheEngineLacksIsUnsupported) {
    const auto result = load(fake_model("-1, 4"),
                             "parameters { key: \"precision\" value { string_value: \"bf16\" } }");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(result.error().message, HasSubstr("precision bf16"));
}

TEST_F(ModelLoaderTest, ABackendOfTritonsIsLeftAsideButAnEngineOfOursIsAskedFor) {
    EXPECT_NE(loaded(fake_model("-1, 4"), "backend: \"onnxruntime\""), nullptr);
    EXPECT_NE(loaded(fake_model("-1, 4"), "backend: \"fake\""), nullptr);
}

}  // namespace
}  // namespace lepton::model
