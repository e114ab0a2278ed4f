#include "lepton/model/repository/model_table.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lepton::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ModelFolder folder_of(const std::string& name) { return {name, "/models/" + name, {}}; }

Stamp stamp_of(int hour) {
    return {.model = std::filesystem::file_time_type(std::chrono::hours(hour)),
            .config = {},
            .samples = {}};
}

ModelTable::Serving version_of(const std::string& name, int number, int hour = 1) {
    auto spec = std::make_shared<ModelSpec>();
    spec->name = name;
    spec->version = std::to_string(number);
    auto version = std::make_shared<ServedVersion>();
    version->spec = std::move(spec);
    version->stamp = stamp_of(hour);
    return version;
}

class ModelTableTest : public ::testing::Test {
protected:
    void start(const std::vector<std::string>& names) {
        std::vector<ModelFolder> folders;
        folders.reserve(names.size());
        for (const std::string& name : names) folders.push_back(folder_of(name));
        table_.start(folders);
    }
    std::vector<std::int64_t> load(const std::string& name, std::vector<std::int64_t> numbers) {
        for (const std::int64_t number : numbers) {
            if (table_.begin_load(name, number, stamp_of(1))) {
                table_.serve(version_of(name, static_cast<int>(number)));
            }
        }
        return table_.end_load(name, {.wanted = std::move(numbers), .all_serve = true});
    }
    std::vector<std::int64_t> fail_to_load(const std::string& name, std::int64_t number) {
        EXPECT_TRUE(table_.begin_load(name, number, stamp_of(2)));
        table_.note_failure(name, number, {ErrorCode::kInternal, "no such op"});
        return table_.end_load(name, {.wanted = {number}, .all_serve = false});
    }
    std::string why_not(const std::string& name, const std::string& version = "") {
        const auto found = table_.find(name, version);
        return found ? "found" : found.error().message;
    }

    ModelTable table_{true};
};

TEST_F(ModelTableTest, IsReadyOnceEveryModelOfTheStartServes) {
    EXPECT_THAT(table_.ready().error().message, HasSubstr("it is starting"));
    start({"a", "b"});
    EXPECT_THAT(load("a", {1}), IsEmpty());
    EXPECT_THAT(table_.ready().error().message, HasSubstr("loading b"));
    EXPECT_THAT(load("b", {1}), IsEmpty());
    EXPECT_TRUE(table_.ready());
    table_.begin_drain();
    EXPECT_THAT(table_.ready().error().message, HasSubstr("it is draining"));
}

TEST_F(ModelTableTest, AModelThatComesLaterIsNoMatterOfReadiness) {
    start({});
    table_.want(folder_of("late"));
    EXPECT_THAT(fail_to_load("late", 1), IsEmpty());
    EXPECT_TRUE(table_.ready());
    EXPECT_THAT(why_not("late"), HasSubstr("failed to load: no such op"));
}

TEST_F(ModelTableTest, WithoutStrictReadinessSomethingHasToServe) {
    ModelTable table(false);
    table.start(std::vector{folder_of("a")});
    EXPECT_TRUE(table.end_load("a", {.failure = Error{ErrorCode::kInternal, "broken"}}).empty());
    EXPECT_THAT(table.ready().error().message, HasSubstr("no model serves"));
}

TEST_F(ModelTableTest, ANewVersionNamesTheOldOnesToRetireAndAFailedOneNone) {
    start({"a"});
    EXPECT_THAT(load("a", {1}), IsEmpty());
    EXPECT_THAT(fail_to_load("a", 2), IsEmpty());
    EXPECT_EQ(table_.find("a", "").value()->version, "1");
    EXPECT_TRUE(table_.ready()) << "it was ready once";
    EXPECT_THAT(load("a", {3}), ElementsAre(1, 2));
    EXPECT_EQ(table_.remove("a", 1)->number(), 1);
    EXPECT_EQ(table_.remove("a", 2), nullptr) << "it never served";
    EXPECT_THAT(table_.versions("a"), ElementsAre("3"));
    EXPECT_THAT(table_.failures(), IsEmpty());
}

TEST_F(ModelTableTest, WhatServesAsItsFilesAreIsNotLoadedAgain) {
    start({"a"});
    EXPECT_THAT(load("a", {1}), IsEmpty());
    EXPECT_FALSE(table_.begin_load("a", 1, stamp_of(1)));
    EXPECT_TRUE(table_.begin_load("a", 1, stamp_of(2)));
    EXPECT_NE(table_.serving("a", "1"), nullptr) << "the old one goes on";
}

TEST_F(ModelTableTest, SaysWhyAModelIsNotThere) {
    start({"a"});
    EXPECT_EQ(why_not("a"), "model \"a\" is loading");
    EXPECT_EQ(why_not("b"), "no model \"b\", there are: a");
    EXPECT_THAT(load("a", {1, 2}), IsEmpty());
    EXPECT_EQ(why_not("a", "3"), "model \"a\" has no version \"3\", there are: 1, 2");
    ASSERT_TRUE(table_.want_no_more("a"));
    for (const std::int64_t number : table_.begin_unload("a")) table_.remove("a", number);
    EXPECT_EQ(why_not("a"), "model \"a\" is unloaded");
    EXPECT_FALSE(table_.want_again(folder_of("a")));
    table_.want(folder_of("a"));
    EXPECT_TRUE(table_.want_again(folder_of("a")));
    EXPECT_EQ(table_.want_no_more("b").error().code, ErrorCode::kModelNotFound);
}

TEST_F(ModelTableTest, WhatWasReadOfAVersionStaysAsItWas) {
    start({"a"});
    EXPECT_THAT(load("a", {1}), IsEmpty());
    const ModelTable::Serving before = table_.serving("a", "");
    ServedVersion changed = *before;
    changed.config.instances = 4;
    table_.replace(std::make_shared<const ServedVersion>(changed));
    EXPECT_EQ(before->config.instances, 1);
    EXPECT_EQ(table_.serving("a", "1")->config.instances, 4);
    EXPECT_EQ(table_.all_serving().size(), 1U);
}

}  // namespace
}  // namespace lepton::model
