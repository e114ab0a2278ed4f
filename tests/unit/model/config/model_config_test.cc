#include "lepton/model/config/model_config.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lepton/model/config/config_file.h"
#include "support/temp_folder.h"

namespace lepton::model {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

ModelConfig parse(std::string_view text) {
    auto config = parse_model_config(text, "c.pbtxt");
    EXPECT_TRUE(config) << config.error().message;
    return config ? *std::move(config) : ModelConfig{};
}

std::string error_of(std::string_view text) {
    const auto config = parse_model_config(text, "c.pbtxt");
    if (config) return "accepted";
    EXPECT_EQ(config.error().code, ErrorCode::kInvalidArgument);
    return config.error().message;
}

TEST(ModelConfig, ReadsTheFieldsOfTriton) {
    const ModelConfig config = parse(R"(
        name: "bert" platform: "onnxruntime_onnx" backend: "onnxruntime" max_batch_size: 8
        input [ { name: "ids" data_type: TYPE_INT64 dims: [ -1 ] },
                { name: "text" data_type: TYPE_STRING dims: [ 1 ] } ]
        output { name: "logits" data_type: TYPE_FP32 dims: 2 dims: 3 }
        instance_group [ { count: 2 }, { count: 1 } ]
        dynamic_batching {
            preferred_batch_size: [ 3, 6 ]
            default_priority_level: 3
            default_queue_policy { default_timeout_microseconds: 5000 max_queue_size: 16 }
        }
        parameters { key: "precision" value { string_value: "bf16" } }
        default_model_filename: "bert.onnx")");
    EXPECT_EQ(config.name, "bert");
    EXPECT_EQ(config.backend, "onnxruntime");
    EXPECT_EQ(config.max_batch_size, 8);
    ASSERT_EQ(config.inputs.size(), 2u);
    EXPECT_EQ(config.inputs[0].name, "ids");
    EXPECT_EQ(config.inputs[0].dtype, DataType::kInt64);
    EXPECT_EQ(config.inputs[0].dims, (Shape{-1}));
    EXPECT_EQ(config.inputs[1].dtype, DataType::kBytes);
    ASSERT_EQ(config.outputs.size(), 1u);
    EXPECT_EQ(config.outputs[0].dims, (Shape{2, 3}));
    EXPECT_EQ(config.instances, 3);
    EXPECT_THAT(config.queue.preferred_batch_sizes, ElementsAre(3, 6));
    EXPECT_EQ(config.queue.default_priority, 3u);
    EXPECT_EQ(config.queue.default_timeout, Clock::duration::zero());
    EXPECT_EQ(config.queue.wait.longest, std::chrono::milliseconds(5));
    EXPECT_EQ(config.queue.max_queued_requests, 16u);
    EXPECT_EQ(config.precision, engine::Precision::kBf16);
    EXPECT_EQ(config.default_model_filename, "bert.onnx");
    EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(ModelConfig, WhatIsAbsentIsLeftToTheModel) {
    const ModelConfig config = parse("");
    EXPECT_EQ(config.max_batch_size, std::nullopt);
    EXPECT_EQ(config.instances, 1);
    EXPECT_EQ(config.precision, engine::Precision::kF32);
    EXPECT_EQ(config.versions.latest, 1);
    EXPECT_EQ(config.queue.max_queued_requests, QueueOptions{}.max_queued_requests);
    EXPECT_EQ(parse("input { name: \"x\" }").inputs[0].dims, std::nullopt);
}

TEST(ModelConfig, AMaxBatchSizeOfZeroIsNotTheSameAsNone) {
    EXPECT_EQ(parse("max_batch_size: 0").max_batch_size, 0);
}

TEST(ModelConfig, EveryDatatypeHasItsNameOfTriton) {
    constexpr std::pair<const char*, DataType> kNames[] = {{"BOOL", DataType::kBool},
                                                           {"UINT8", DataType::kUint8},
                                                           {"UINT16", DataType::kUint16},
                                                           {"UINT32", DataType::kUint32},
                                                           {"UINT64", DataType::kUint64},
                                                           {"INT8", DataType::kInt8},
                                                           {"INT16", DataType::kInt16},
                                                           {"INT32", DataType::kInt32},
                                                           {"INT64", DataType::kInt64},
                                                           {"FP16", DataType::kFp16},
                                                           {"FP32", DataType::kFp32},
                                                           {"FP64", DataType::kFp64},
                                                           {"STRING", DataType::kBytes},
                                                           {"BF16", DataType::kBf16}};
    for (const auto& [name, dtype] : kNames) {
        const std::string text =
            "input { name: \"x\" data_type: TYPE_" + std::string(name) + " dims: 1 }";
        EXPECT_EQ(parse(text).inputs[0].dtype, dtype) << name;
    }
}

TEST(ModelConfig, AnUnknownFieldIsAnErrorThatNamesFileAndLine) {
    EXPECT_EQ(error_of("name: \"m\"\n\nmax_bath_size: 8\n"),
              "c.pbtxt:3:14: unknown field \"max_bath_size\"");
    EXPECT_THAT(error_of("input { name: \"x\" dtype: TYPE_FP32 }"), HasSubstr("\"dtype\""));
}

TEST(ModelConfig, FieldsOfTritonsThatHaveNoEffectAreWarnings) {
    const ModelConfig config = parse(
        "optimization { cuda { graphs: true } }\n"
        "instance_group { count: 2 kind: KIND_CPU gpus: [ 0 ] }\n"
        "dynamic_batching { max_queue_delay_microseconds: 100 }");
    EXPECT_EQ(config.instances, 2);
    EXPECT_THAT(config.warnings,
                ElementsAre(HasSubstr("c.pbtxt:1:1: field \"optimization\" has no effect"),
                            HasSubstr("\"kind\""),
                            HasSubstr("\"gpus\""),
                            HasSubstr("max_queue_delay_microseconds")));
}

TEST(ModelConfig, ParametersThatAreNoneOfOursAreTheEngines) {
    const ModelConfig config = parse(
        "parameters { key: \"cpu_affinity\" value { string_value: \"4\" } }\n"
        "parameters { key: \"precision\" value { string_value: \"bf16\" } }");
    EXPECT_THAT(config.parameters, ElementsAre(Pair("cpu_affinity", "4")));
    EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(ModelConfig, ReadsTheDevice) {
    const auto with = [](const std::string& device) {
        return "parameters { key: \"device\" value { string_value: \"" + device + "\" } }";
    };
    EXPECT_EQ(parse("").device, Device{});
    EXPECT_EQ(parse(with("gpu:1")).device, (Device{DeviceKind::kGpu, 1}));
    EXPECT_THAT(error_of(with("gpu:x")), HasSubstr("parameter \"device\" is \"gpu:x\""));
}

TEST(ModelConfig, ReadsTheWarmUp) {
    const ModelConfig config = parse(R"(
        model_warmup {
          name: "typical" batch_size: 4 count: 3
          inputs { key: "b" value { data_type: TYPE_STRING dims: 2 input_data_file: "b.bin" } }
          inputs { key: "a" value { data_type: TYPE_INT64 dims: [ 3, 0 ] random_data: false } }
        }
        model_warmup { inputs { key: "a" value { data_type: TYPE_FP32 zero_data: true } } })");
    EXPECT_THAT(config.warnings, IsEmpty());
    ASSERT_EQ(config.warm_up.size(), 2u);
    const WarmUpSample& typical = config.warm_up[0];
    EXPECT_EQ(typical.name, "typical");
    EXPECT_EQ(typical.batch_size, 4);
    EXPECT_EQ(typical.count, 3);
    ASSERT_EQ(typical.inputs.size(), 2u);
    EXPECT_EQ(typical.inputs[0].name, "a");
    EXPECT_EQ(typical.inputs[0].dtype, DataType::kInt64);
    EXPECT_EQ(typical.inputs[0].dims, (Shape{3, 0}));
    EXPECT_EQ(typical.inputs[0].content, WarmUpSample::Content::kRandom);
    EXPECT_EQ(typical.inputs[1].content, WarmUpSample::Content::kFile);
    EXPECT_EQ(typical.inputs[1].file, "b.bin");
    EXPECT_EQ(config.warm_up[1].batch_size, 1);
    EXPECT_EQ(config.warm_up[1].count, 1);
    EXPECT_TRUE(config.warm_up[1].inputs[0].dims.empty());
    EXPECT_EQ(config.warm_up[1].inputs[0].content, WarmUpSample::Content::kZero);
}

TEST(ModelConfig, AWarmUpThatSaysTooLittleIsAnError) {
    const auto error_of_input = [](const std::string& input) {
        return error_of("model_warmup { name: \"s\" inputs { key: \"x\" value { " + input +
                        " } } }");
    };
    EXPECT_EQ(error_of_input("data_type: TYPE_FP32 dims: 1"),
              "c.pbtxt: model_warmup \"s\": input \"x\" has none of zero_data, random_data and "
              "input_data_file");
    EXPECT_THAT(error_of_input("dims: 1 zero_data: true"), HasSubstr("has no data_type"));
    EXPECT_THAT(error_of_input("data_type: TYPE_FP32 dims: -1 zero_data: true"),
                HasSubstr("has dim -1, all have to be specified"));
    EXPECT_THAT(error_of("model_warmup { name: \"s\" count: 4000000000 }"),
                HasSubstr("count is 4000000000, at most 1000"));
    EXPECT_THAT(error_of("model_warmup { counts: 1 }"), HasSubstr("unknown field \"counts\""));
}

TEST(ModelConfig, TritonsOwnSpellingsAreRead) {
    const ModelConfig config = parse(
        "input [ { name: 'x' data_type: TYPE_FP32 dims: [ -1, 0x4 ] optional: false "
        "allow_ragged_batch: false } ]\n"
        "instance_group [ { name: \"x\" count: 2; rate_limiter { resources [ { name: \"R1\" count: "
        "4 } ] priority: 2 } } ]\n"
        "model_warmup [ { name: \"zeros\" batch_size: 1 inputs { key: \"x\" value: { data_type: "
        "TYPE_FP32 dims: [ 4 ] zero_data: true } } } ]\n"
        "optimization { execution_accelerators { cpu_execution_accelerator [ { name: \"openvino\" "
        "} "
        "] } cuda { graphs: true graph_spec [ { batch_size: 1 } ] } }\n"
        "metric_tags [ { key: \"a\" value: \"b\" } ], cc_model_filenames [ { key: \"7.5\" value: "
        "\"model.onnx\" } ]\n"
        "model_repository_agents { agents [ { name: \"checksum\" } ] } # a { comment\n"
        "dynamic_batching < priority_levels: 18446744073709551615 default_priority_level: "
        "4294967296 "
        "priority_queue_policy [ { key: 1 value { max_queue_size: 4 } } ] >");
    EXPECT_EQ(config.inputs[0].dims, (Shape{-1, 4}));
    EXPECT_EQ(config.instances, 2);
    EXPECT_EQ(config.queue.default_priority, std::numeric_limits<std::uint32_t>::max());
    for (const char* field : {"rate_limiter",
                              "optimization",
                              "metric_tags",
                              "cc_model_filenames",
                              "model_repository_agents"}) {
        EXPECT_THAT(config.warnings, Contains(HasSubstr("\"" + std::string(field) + "\"")));
    }
}

TEST(ModelConfig, AQueueSizeOfZeroIsNoBoundAsToTriton) {
    const auto queued = [](std::string_view size) {
        const std::string text =
            "dynamic_batching { default_queue_policy { " + std::string(size) + " } }";
        return parse(text).queue.max_queued_requests;
    };
    EXPECT_EQ(queued("max_queue_size: 0"), kMostQueued);
    EXPECT_EQ(queued("max_queue_size: 020"), 16u);
    EXPECT_EQ(queued(""), QueueOptions{}.max_queued_requests);
}

TEST(ModelConfig, AnAnswerOfTheServerIsAConfiguration) {
    const ModelConfig config = parse(R"(
        {"name":"m","platform":"openvino_onnx","backend":"openvino",
         "version_policy":{"latest":{"num_versions":1}},"max_batch_size":8,
         "input":[{"name":"x","data_type":"TYPE_FP32","format":"FORMAT_NONE","dims":[4],
                   "is_shape_tensor":false,"allow_ragged_batch":false,"optional":false}],
         "output":[],"batch_input":[],"batch_output":[],
         "dynamic_batching":{"preferred_batch_size":[2],"default_queue_policy":
            {"timeout_action":"REJECT","allow_timeout_override":true,"max_queue_size":7}},
         "instance_group":[{"name":"m","kind":"KIND_CPU","count":2,"gpus":[],"profile":[]}],
         "cc_model_filenames":{},"metric_tags":{},"model_warmup":[],
         "parameters":{"precision":{"string_value":"bf16"}}})");
    EXPECT_EQ(config.max_batch_size, 8);
    EXPECT_EQ(config.inputs[0].dims, (Shape{4}));
    EXPECT_EQ(config.instances, 2);
    EXPECT_EQ(config.queue.max_queued_requests, 7u);
    EXPECT_EQ(config.precision, engine::Precision::kBf16);
    EXPECT_THAT(error_of(R"({"optimisation":{}})"), HasSubstr("optimisation"));
    EXPECT_THAT(error_of(R"({"sequence_batching":{}})"), HasSubstr("is not supported"));
}

TEST(ModelConfig, WhatAnAnswerSaysWasMeasuredIsMeasuredAgain) {
    const std::string answer = R"(
        max_batch_size: 0 instance_group { count: 1 }
        parameters { key: "max_batch_size" value { string_value: "16" } }
        parameters { key: "threads" value { string_value: "2" } }
        parameters { key: "weight" value { string_value: "3" } }
        parameters { key: "settings_configured" value { string_value: "weight" } }
        parameters { key: "settings_tuned" value { string_value: "max_batch_size,threads" } })";
    const ModelConfig config = parse(answer);
    EXPECT_EQ(config.max_batch_size, std::nullopt);
    EXPECT_EQ(config.threads, 0);
    EXPECT_EQ(config.queue.weight, 3);
    EXPECT_EQ(config.origins.size(), 1u);
    EXPECT_TRUE(config.origins.contains("weight"));
    // What was changed and saved since counts.
    const ModelConfig saved = parse(with_settings(answer, {{"max_batch_size", std::int64_t{4}}}));
    EXPECT_EQ(saved.max_batch_size, 4);
    EXPECT_EQ(saved.threads, 0);
    const ModelConfig twice =
        parse(with_settings(with_settings(answer, {{"max_batch_size", std::int64_t{4}}}),
                            {{"threads", std::int64_t{1}}}));
    EXPECT_EQ(twice.max_batch_size, 4);
    EXPECT_EQ(twice.threads, 1);
}

TEST(ModelConfig, DimsAreOfRowsWhereTheFieldSaysSoWhateverTheSetting) {
    const auto of_rows = [](const std::string& field, const std::string& setting) {
        return parse(field + " parameters { key: \"max_batch_size\" value { string_value: \"" +
                     setting + "\" } }")
            .dims_of_rows;
    };
    for (const char* setting : {"auto", "0", "16"}) {
        EXPECT_TRUE(of_rows("max_batch_size: 8", setting));
        EXPECT_FALSE(of_rows("max_batch_size: 0", setting));
        EXPECT_FALSE(of_rows("", setting));
    }
}

TEST(ModelConfig, TextNestedWithoutEndIsAnError) {
    for (const char* level :
         {"a { ", "a < ", "a: [ ", "input { ", "optimization { cuda { ", "{\"a\":"}) {
        std::string text;
        for (int i = 0; i < 100'000; ++i) text += level;
        EXPECT_THAT(error_of(text), HasSubstr("nested deeper than 64 messages")) << level;
    }
    // What stands in a string or a comment is no nesting.
    EXPECT_EQ(parse("name: \"" + std::string(100, '{') + "\\\"{\" # " + std::string(100, '{')).name,
              std::string(100, '{') + "\"{");
}

TEST(ModelConfig, WhatIsNoConfigurationIsAnError) {
    for (const char* text : {"[type.googleapis.com/a.B] { }",
                             "[a.b] { name: \"x\" }",
                             "name: \"a\" name: \"b\"",
                             "name: \"\\377\"",
                             "input { name: \"x\" data_type: 99 }",
                             "input { name: \"x\" data_type: -1 }",
                             "input { name: \"x\" dims: 99999999999999999999 }",
                             "instance_group { kind: KIND_TPU }",
                             "max_batch_size: 1.5",
                             "max_batch_size: 4294967296",
                             "name: \"open",
                             "}"}) {
        EXPECT_NE(error_of(text), "accepted") << text;
    }
    EXPECT_EQ(parse("name: \"\\303\\251\\u00e9\"").name, "\xc3\xa9\xc3\xa9");
}

TEST(ModelConfig, QueuePoliciesOfTritonAreRead) {
    const ModelConfig config = parse(R"(
        parameters { key: "policy" value { string_value: "fifo" } }
        dynamic_batching {
          priority_levels: 3 default_priority_level: 2
          default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 70
                                 allow_timeout_override: true max_queue_size: 5 }
          priority_queue_policy { key: 1 value { default_timeout_microseconds: 9 } }
          priority_queue_policy { key: 3 value { max_queue_size: 0 } }
        })");
    EXPECT_THAT(config.warnings, IsEmpty());
    EXPECT_EQ(config.queue.priority_levels, 3u);
    EXPECT_EQ(config.queue.default_priority, 2u);
    const WaitBound wait{std::chrono::microseconds(70), true, true};
    EXPECT_EQ(config.queue.wait, wait);
    const std::map<std::uint32_t, LevelOptions> levels{
        {1, {{.longest = std::chrono::microseconds(9)}, 5}}, {3, {{}, kMostQueued}}};
    EXPECT_EQ(config.queue.levels, levels);
    // Whoever names a default has priorities, of any number.
    EXPECT_EQ(parse("dynamic_batching { default_priority_level: 2 }").queue.priority_levels,
              std::numeric_limits<std::uint32_t>::max());
    EXPECT_EQ(parse("dynamic_batching { }").queue.priority_levels, 0u);
    for (const char* wrong : {"priority_levels: 3",
                              "priority_levels: 3 default_priority_level: 4",
                              "priority_levels: 3 default_priority_level: 1 "
                              "priority_queue_policy { key: 4 value { } }",
                              "default_priority_level: 1 priority_queue_policy { value { } }"}) {
        EXPECT_THAT(error_of("dynamic_batching { " + std::string(wrong) + " }"),
                    HasSubstr("is not between 1 and priority_levels"))
            << wrong;
    }
    EXPECT_THAT(
        parse("dynamic_batching { default_queue_policy { timeout_action: DELAY } }").warnings,
        Contains(HasSubstr("DELAY has no effect without the parameter policy")));
}

TEST(ModelConfig, PolicyFifoWaitsForCompanyAsTritonDoes) {
    const ModelConfig config = parse(
        "dynamic_batching { max_queue_delay_microseconds: 100 }\n"
        "parameters { key: \"policy\" value { string_value: \"fifo\" } }");
    EXPECT_EQ(config.queue.policy, QueuePolicy::kFifo);
    EXPECT_EQ(config.queue.max_queue_delay, std::chrono::microseconds(100));
    EXPECT_THAT(config.warnings, IsEmpty());
    EXPECT_THAT(error_of("parameters { key: \"policy\" value { string_value: \"lifo\" } }"),
                HasSubstr("must be one of deadline, fifo, not \"lifo\""));
}

TEST(ModelConfig, FieldsWithoutWhichAnswersWouldBeWrongAreErrors) {
    EXPECT_THAT(error_of("sequence_batching { }"),
                HasSubstr("field \"sequence_batching\" is not supported"));
    EXPECT_THAT(error_of("input { name: \"x\" dims: 1 reshape { shape: [ ] } }"),
                HasSubstr("field \"reshape\" is not supported"));
}

TEST(ModelConfig, BrokenTextIsAnErrorThatNamesTheLine) {
    EXPECT_THAT(error_of("name: \"m\"\ninput {"), HasSubstr("c.pbtxt:2:"));
    EXPECT_THAT(error_of("max_batch_size: many"), HasSubstr("c.pbtxt:1:17"));
    EXPECT_THAT(error_of("input { name: \"x\" data_type: TYPE_FP8 }"), HasSubstr("TYPE_FP8"));
}

TEST(ModelConfig, ValuesOutOfRangeAreNamed) {
    EXPECT_THAT(error_of("max_batch_size: -1"), HasSubstr("max_batch_size is -1"));
    EXPECT_THAT(error_of("input { name: \"x\" dims: 0 }"), HasSubstr("input \"x\" has dim 0"));
    EXPECT_THAT(error_of("input { dims: 1 }"), HasSubstr("input without a name"));
    EXPECT_THAT(error_of("instance_group { count: 5000 }"), HasSubstr("count 5000"));
    EXPECT_THAT(error_of("default_model_filename: \"../x\""), HasSubstr("plain file name"));
    EXPECT_THAT(error_of("max_batch_size: 4 dynamic_batching { preferred_batch_size: 8 }"),
                HasSubstr("preferred_batch_size 8"));
    EXPECT_THAT(error_of("parameters { key: \"precision\" value { string_value: \"f8\" } }"),
                HasSubstr("one of f32, bf16, f16"));
    EXPECT_THAT(error_of("version_policy { specific { } }"), HasSubstr("no specific version"));
}

TEST(VersionPolicy, ServesTheLatestVersionByDefault) {
    const std::int64_t there[] = {1, 2, 5};
    const VersionPolicy policy;
    EXPECT_TRUE(policy.serves(5, there));
    EXPECT_FALSE(policy.serves(2, there));
}

TEST(VersionPolicy, ServesWhatTheConfigurationSays) {
    const std::int64_t there[] = {1, 2, 5};
    const VersionPolicy two = parse("version_policy { latest { num_versions: 2 } }").versions;
    EXPECT_TRUE(two.serves(2, there));
    EXPECT_FALSE(two.serves(1, there));
    EXPECT_TRUE(parse("version_policy { all { } }").versions.serves(1, there));
    const VersionPolicy some = parse("version_policy { specific { versions: [ 1, 7 ] } }").versions;
    EXPECT_TRUE(some.serves(1, there));
    EXPECT_FALSE(some.serves(5, there));
}

TEST(ModelConfig, AFileThatIsNotThereSaysNothing) {
    const auto config = read_model_config("/nowhere/config.pbtxt");
    ASSERT_TRUE(config);
    EXPECT_TRUE(config->name.empty());
    const lepton::testing::TempFolder folder;
    EXPECT_EQ(read_model_config(folder.write("config.pbtxt", "name: \"m\""))->name, "m");
}

TEST(ModelConfig, ReadsTheExtentsToPadTo) {
    const ModelConfig config =
        parse(R"(parameters { key: "pad_to" value { string_value: "64, 128,256" } })");
    EXPECT_THAT(config.pad_to, ElementsAre(64, 128, 256));
}

TEST(ModelConfig, ExtentsToPadToThatDoNotAscendAreAnError) {
    for (const char* value : {"", "128,64", "0", "-4", "64,,128", "64 128", "x", "9999999999"}) {
        EXPECT_THAT(error_of("parameters { key: \"pad_to\" value { string_value: \"" +
                             std::string(value) + "\" } }"),
                    HasSubstr("ascending extents between 1 and 1048576"))
            << value;
    }
}

}  // namespace
}  // namespace lepton::model
