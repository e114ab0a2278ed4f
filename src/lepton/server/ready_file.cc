#include "lepton/server/ready_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

#include "lepton/core/utf8.h"

namespace lepton::server {
namespace {

std::string json_string(std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string quoted = "\"";
    for (const char c : to_utf8(text)) {
        if (static_cast<unsigned char>(c) < 0x20) {
            const std::size_t code = static_cast<unsigned char>(c);
            quoted.append("\\u00").append({kHex[code >> 4], kHex[code & 15]});
            continue;
        }
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted += '"';
}

}  // namespace

std::string to_json(const ReadyFile& ready) {
    std::string models;
    for (const std::string& model : ready.models) {
        if (!models.empty()) models += ", ";
        models += json_string(model);
    }
    std::string failed;
    for (const ReadyFile::Failed& one : ready.failed) {
        if (!failed.empty()) failed += ", ";
        failed += "{\"model\": " + json_string(one.model) +
                  ", \"reason\": " + json_string(one.reason) + "}";
    }
    return "{\"host\": " + json_string(ready.host) + ", \"port\": " + std::to_string(ready.port) +
           ", \"pid\": " + std::to_string(ready.pid) + ", \"models\": [" + models + "]" +
           (failed.empty() ? "" : ", \"failed\": [" + failed + "]") + "}\n";
}

Result<> write_ready_file(const std::filesystem::path& path, const ReadyFile& ready) {
    std::filesystem::path draft = path;
    draft += ".draft";
    // Left by a server that was killed, or laid there by somebody for this one to follow.
    ::unlink(draft.c_str());
    const int fd =
        ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool good = fd >= 0;
    int reason = errno;
    if (good) {
        const std::string text = to_json(ready);
        std::string_view rest = text;
        while (good && !rest.empty()) {
            const ssize_t written = ::write(fd, rest.data(), rest.size());
            if (written >= 0) {
                rest.remove_prefix(static_cast<std::size_t>(written));
            } else {
                good = errno == EINTR;
            }
        }
        reason = errno;
        ::close(fd);
        if (good) {
            good = ::rename(draft.c_str(), path.c_str()) == 0;
            reason = errno;
        }
        if (!good) ::unlink(draft.c_str());
    }
    if (!good) {
        return fail(ErrorCode::kUnavailable,
                    "cannot write ready file \"" + path.string() +
                        "\": " + std::generic_category().message(reason));
    }
    return {};
}

}  // namespace lepton::server
