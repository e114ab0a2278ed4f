#include "lepton/net/unix_path.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

namespace lepton::net {
namespace {

// 0 where somebody listens; else the reason why nobody can be reached.
int try_to_connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    const int failed =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
    ::close(fd);
    // A full backlog, or a socket of another kind, is somebody's.
    return failed == EAGAIN || failed == EINPROGRESS || failed == EPROTOTYPE ? 0 : failed;
}

}  // namespace

std::optional<FileIdentity> identity_of(const std::filesystem::path& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return FileIdentity{status.st_dev, status.st_ino};
}

Result<> free_unix_path(const std::filesystem::path& path) {
    const std::string text = path.string();
    if (text.size() >= sizeof(sockaddr_un{}.sun_path)) {
        return fail(ErrorCode::kInvalidArgument,
                    "unix socket path \"" + text + "\" is longer than the system's bound of " +
                        std::to_string(sizeof(sockaddr_un{}.sun_path) - 1) + " bytes");
    }
    std::error_code ignored;
    if (!std::filesystem::is_socket(path, ignored)) return {};  // bind says what is wrong.
    const int reason = try_to_connect(text);
    if (reason == ECONNREFUSED || reason == ENOENT) {
        std::filesystem::remove(path, ignored);
        return {};
    }
    return fail(ErrorCode::kUnavailable,
                "unix socket \"" + text + "\" " +
                    (reason == 0 ? "is in use by a running process"
                                 : "cannot be tried: " + std::generic_category().message(reason)));
}

}  // namespace lepton::net
