#include "lepton/model/config/model_settings.h"

#include <gmock/gmock.h>

#include "lepton/model/config/config_file.h"

namespace lepton::model {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

std::string refusal(std::string_view name, const SettingValue& value) {
    ModelConfig config;
    const auto set = set_setting(config, name, value, SettingOrigin::kChanged);
    EXPECT_FALSE(set) << name;
    return set ? "" : set.error().message;
}

TEST(ModelSettings, EverySettingSurvivesTheWayThroughText) {
    ModelConfig config;
    const std::pair<const char*, SettingValue> values[] = {
        {"max_batch_size", std::int64_t{8}},
        {"instances", std::string("auto:1-4")},
        {"threads", std::int64_t{2}},
        {"policy", std::string("fifo")},
        {"default_deadline_ms", 4.103},
        {"max_queue_size", std::int64_t{10}},
        {"max_queue_bytes", std::int64_t{4096}},
        {"weight", 0.5},
        {"max_queue_delay_us", std::int64_t{300}},
        {"preferred_batch_sizes", std::vector<std::int64_t>{2, 4}}};
    for (const auto& [name, value] : values) {
        const auto set = set_setting_text(config, name, to_text(value));
        ASSERT_TRUE(set) << set.error().message;
    }
    const auto settings = settings_of(config, {});
    ASSERT_EQ(settings.size(), std::size(values));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        const auto* expected = std::find_if(std::begin(values), std::end(values), [&](auto& v) {
            return v.first == settings[i].name;
        });
        ASSERT_NE(expected, std::end(values)) << settings[i].name;
        EXPECT_EQ(settings[i].value, expected->second) << settings[i].name;
        EXPECT_EQ(settings[i].origin, SettingOrigin::kConfigured);
    }
    EXPECT_EQ(config.queue.default_timeout, 4103us);
    EXPECT_EQ(config.instance_bounds, (InstanceBounds{1, 4}));
}

TEST(ModelSettings, RefusalNamesTheSettingTheValueAndTheBound) {
    EXPECT_EQ(refusal("weight", std::int64_t{0}), "weight must be 0.001 to 1000, not 0");
    EXPECT_EQ(refusal("weight", std::string("much")),
              "weight must be a number from 0.001 to 1000, not \"much\"");
    EXPECT_EQ(refusal("threads", 1.5),
              "threads must be a whole number from 1 to 256, or \"auto\", not 1.5");
    EXPECT_EQ(refusal("default_deadline_ms", 1e-5),
              "default_deadline_ms must be 0 or at least 0.001, not 1e-05");
    EXPECT_THAT(refusal("instances", std::string("auto:4-1")), HasSubstr("\"auto:4-1\""));
    EXPECT_THAT(refusal("instances", std::string("many")), HasSubstr("auto:1-4"));
    EXPECT_THAT(refusal("wieght", 1.0), HasSubstr("unknown setting \"wieght\", there are: max_"));
    EXPECT_THAT(refusal("preferred_batch_sizes", std::vector<std::int64_t>{0}), HasSubstr("[0]"));
}

TEST(ModelSettings, OnlyWhatSessionsAreMadeForNeedsNewOnes) {
    ModelConfig loaded;
    loaded.max_batch_size = 8;
    const auto needs = [&loaded](std::string_view name, const SettingValue& value) {
        ModelConfig wanted = loaded;
        EXPECT_TRUE(set_setting(wanted, name, value, SettingOrigin::kChanged));
        return needs_sessions(loaded, wanted);
    };
    EXPECT_TRUE(needs("instances", std::int64_t{2}));
    EXPECT_TRUE(needs("threads", std::int64_t{2}));
    EXPECT_TRUE(needs("max_batch_size", std::int64_t{9}));
    EXPECT_TRUE(needs("max_batch_size", std::int64_t{0}));
    EXPECT_TRUE(needs("max_batch_size", std::string("auto")));
    EXPECT_FALSE(needs("max_batch_size", std::int64_t{4}));
    EXPECT_FALSE(needs("policy", std::string("fifo")));
    EXPECT_FALSE(needs("instances", std::string("auto:1-4")));
    EXPECT_TRUE(needs("instances", std::string("auto:2-4")));
}

TEST(ConfigFile, SavedSettingsReplaceEarlierOnesAndLeaveTheRestAlone) {
    const std::string text = "# By hand.\nmax_batch_size: 8 # rows";
    const std::string once = with_settings(text, {{"weight", 2.0}, {"instances", std::int64_t{2}}});
    EXPECT_THAT(once, StartsWith(text + "\n"));
    const std::string twice = with_settings(once, {{"weight", 3.0}});
    EXPECT_THAT(twice, StartsWith(text + "\n"));
    const auto config = parse_model_config(twice, "c.pbtxt");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->queue.weight, 3.0);
    EXPECT_EQ(config->instances, 2);
    EXPECT_EQ(config->max_batch_size, 8);
    EXPECT_EQ(with_settings(twice, {{"weight", 3.0}}), twice);
}

TEST(ConfigFile, ASavedSettingOverridesTheFieldOfTritons) {
    const auto config = parse_model_config(
        with_settings("instance_group { count: 3 }\nmax_batch_size: 4",
                      {{"instances", std::int64_t{1}}, {"max_batch_size", std::int64_t{2}}}),
        "c.pbtxt");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->instances, 1);
    EXPECT_EQ(config->max_batch_size, 2);
}

}  // namespace
}  // namespace lepton::model
