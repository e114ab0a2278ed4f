#include "lepton/server/ready_file.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace lepton::server {
namespace {

TEST(ReadyFile, IsJsonThatAnyStarterCanRead) {
    const ReadyFile ready{"127.0.0.1", 8000, 17, {"a", "b\"c"}};
    EXPECT_EQ(to_json(ready),
              "{\"host\": \"127.0.0.1\", \"port\": 8000, \"pid\": 17, "
              "\"models\": [\"a\", \"b\\\"c\"]}\n");
}

TEST(ReadyFile, SaysWhichModelsFailedAndWhy) {
    const ReadyFile ready{"::1", 1, 2, {"a"}, {{"b", "crashed\nwith \"SIGFPE\""}}};
    EXPECT_EQ(to_json(ready),
              "{\"host\": \"::1\", \"port\": 1, \"pid\": 2, \"models\": [\"a\"], "
              "\"failed\": [{\"model\": \"b\", "
              "\"reason\": \"crashed\\u000awith \\\"SIGFPE\\\"\"}]}\n");
}

TEST(ReadyFile, SaysWhereTheAdminListenerIs) {
    const ReadyFile ready{"::1", 1, 2, {"a"}, {}, "http://127.0.0.1:8003"};
    EXPECT_EQ(to_json(ready),
              "{\"host\": \"::1\", \"port\": 1, \"pid\": 2, \"models\": [\"a\"], "
              "\"admin_url\": \"http://127.0.0.1:8003\"}\n");
}

TEST(ReadyFile, NamesOfFoldersMayBeAnyBytes) {
    const ReadyFile ready{"::1", 1, 2, {"caf\xe9", "two\nlines", "\x01\x1f\x7f"}, {{"\xff", "\r"}}};
    EXPECT_EQ(to_json(ready),
              "{\"host\": \"::1\", \"port\": 1, \"pid\": 2, "
              "\"models\": [\"caf\xEF\xBF\xBD\", \"two\\u000alines\", \"\\u0001\\u001f\x7f\"], "
              "\"failed\": [{\"model\": \"\xEF\xBF\xBD\", \"reason\": \"\\u000d\"}]}\n");
}

TEST(ReadyFile, AppearsWholeAndLeavesNoDraft) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("lepton_ready_file_test_" + std::to_string(::getpid()));
    ASSERT_TRUE(write_ready_file(path, {"::1", 1, 2, {}}));
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), to_json({"::1", 1, 2, {}}));
    EXPECT_FALSE(std::filesystem::exists(path.string() + ".draft"));
    std::filesystem::remove(path);
}

TEST(ReadyFile, DraftFollowsNoLink) {
    const lepton::testing::TempFolder folder;
    const auto path = folder.path() / "ready";
    folder.write("other", "as it was");
    std::filesystem::create_symlink(folder.path() / "other", folder.path() / "ready.draft");
    ASSERT_TRUE(write_ready_file(path, {"::1", 1, 2, {}}));
    EXPECT_FALSE(std::filesystem::is_symlink(path));
    std::ifstream other(folder.path() / "other");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(other), {}), "as it was");
}

TEST(ReadyFile, FolderThatIsMissingIsNamed) {
    const auto written = write_ready_file("/nowhere/at/all", {});
    ASSERT_FALSE(written);
    EXPECT_NE(written.error().message.find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace lepton::server
