#include "lepton/model/store/disk_store.h"

#include <filesystem>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace lepton::model {
namespace {

using ::testing::HasSubstr;

TEST(DiskStore, ServesVersionsFromWhereTheyLie) {
    const lepton::testing::TempFolder folder;
    const auto first = folder.write("m/1/model.fake", "{}");
    DiskStore store({folder.path()});
    const auto listed = store.list();
    ASSERT_TRUE(listed) << listed.error().message;
    ASSERT_EQ(listed->size(), 1U);
    const ModelFolder& model = listed->front();
    EXPECT_EQ(model.name, "m");
    EXPECT_TRUE(std::filesystem::equivalent(store.fetch(model, 1, "").value(), first));
    EXPECT_THAT(store.fetch(model, 1, "other.fake").error().message, HasSubstr("does not exist"));
    EXPECT_THAT(store.fetch(model, 2, "").error().message, HasSubstr("holds no version 2"));
    folder.write("m/2/model.fake", "{}");
    EXPECT_TRUE(store.fetch(store.list(model), 2, ""));
    EXPECT_EQ(store.label(), "roots=1");
}

TEST(DiskStore, AModelThatIsGoneHasNoVersions) {
    const lepton::testing::TempFolder folder;
    folder.write("m/1/model.fake", "{}");
    DiskStore store({folder.path()});
    const auto listed = store.list();
    ASSERT_TRUE(listed) << listed.error().message;
    std::filesystem::remove_all(folder.path() / "m");
    EXPECT_TRUE(store.list(listed->front()).versions.empty());
}

}  // namespace
}  // namespace lepton::model
