#include "lepton/net/unix_path.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace lepton::net {
namespace {

namespace fs = std::filesystem;

class Listener {
public:
    Listener(const fs::path& path, int backlog) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(fd_, backlog), 0);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { ::close(fd_); }

private:
    const int fd_;
};

TEST(UnixPath, SocketOfALiveServerIsNotTaken) {
    const lepton::testing::TempFolder folder;
    const fs::path path = folder.path() / "s";
    const Listener listener(path, 0);
    // Also where its backlog is full.
    for (int i = 0; i < 3; ++i) {
        const auto freed = free_unix_path(path);
        ASSERT_FALSE(freed);
        EXPECT_EQ(freed.error().code, ErrorCode::kUnavailable);
        EXPECT_NE(freed.error().message.find("in use by a running process"), std::string::npos);
    }
    EXPECT_TRUE(fs::exists(path));
}

TEST(UnixPath, SocketOfADeadServerIsRemoved) {
    const lepton::testing::TempFolder folder;
    const fs::path path = folder.path() / "s";
    {
        const Listener listener(path, 1);
    }
    ASSERT_TRUE(fs::exists(path));
    EXPECT_TRUE(free_unix_path(path));
    EXPECT_FALSE(fs::exists(path));
    EXPECT_TRUE(free_unix_path(path));
}

TEST(UnixPath, WhatIsNoSocketIsLeftAlone) {
    const lepton::testing::TempFolder folder;
    const fs::path path = folder.write("s", "text");
    EXPECT_TRUE(free_unix_path(path));
    EXPECT_TRUE(fs::exists(path));
    EXPECT_FALSE(free_unix_path("/" + std::string(200, 'x')));
}

TEST(UnixPath, AnotherFileAtThePathIsToldApart) {
    const lepton::testing::TempFolder folder;
    const auto first = identity_of(folder.write("a", ""));
    const auto second = identity_of(folder.write("b", ""));
    EXPECT_TRUE(first);
    EXPECT_NE(first, second);
    EXPECT_FALSE(identity_of(folder.path() / "c"));
}

}  // namespace
}  // namespace lepton::net
