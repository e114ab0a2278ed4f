#include "lepton/core/file_draft.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include <gmock/gmock.h>

#include "support/temp_folder.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

std::string content_of(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

class FileDraftTest : public ::testing::Test {
protected:
    [[nodiscard]] auto entries() const {
        return std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator());
    }

    testing::TempFolder folder_;
    const fs::path file_ = folder_.path() / "file";
};

TEST_F(FileDraftTest, TakesThePlaceOfTheFileOnCommitAndNotBefore) {
    ASSERT_TRUE(replace_file(file_, "old"));
    {
        auto draft = FileDraft::write(file_, "new", 0600);
        ASSERT_TRUE(draft) << draft.error().message;
        EXPECT_EQ(content_of(file_), "old");
        FileDraft moved = *std::move(draft);
        ASSERT_TRUE(moved.commit());
    }
    EXPECT_EQ(content_of(file_), "new");
    struct stat status{};
    ASSERT_EQ(::stat(file_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    EXPECT_EQ(entries(), 1);
}

TEST_F(FileDraftTest, WithoutCommitNothingIsLeft) {
    ASSERT_TRUE(FileDraft::write(file_, "new"));
    EXPECT_EQ(entries(), 0);
}

TEST_F(FileDraftTest, AFolderThatIsNotThereIsAnErrorThatNamesTheFile) {
    const auto written = replace_file(folder_.path() / "none" / "file", "x");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(written.error().message, HasSubstr("none/file: No such file"));
}

TEST_F(FileDraftTest, WhatCannotBeReplacedIsLeftAlone) {
    fs::create_directories(file_ / "in_it");
    const auto replaced = replace_file(file_, "x");
    ASSERT_FALSE(replaced);
    EXPECT_THAT(replaced.error().message, HasSubstr("cannot replace"));
    EXPECT_EQ(entries(), 1);
}

}  // namespace
}  // namespace lepton
