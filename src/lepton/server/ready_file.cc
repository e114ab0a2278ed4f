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

// The reason why it failed; 0: it did not.
int write_anew(const std::filesystem::path& file, std::string_view text) {
    // Left by a server that was killed, or laid there by somebody for this one to follow.
    ::unlink(file.c_str());
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return errno;
    int reason = 0;
    while (reason == 0 && !text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno != EINTR) {
            reason = errno;
        }
    }
    ::close(fd);
    return reason;
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
           (failed.empty() ? "" : ", \"failed\": [" + failed + "]") +
           (ready.admin_url.empty() ? "" : ", \"admin_url\": " + json_string(ready.admin_url)) +
           "}\n";
}

Result<> write_ready_file(const std::filesystem::path& path, const ReadyFile& ready) {
    std::filesystem::path draft = path;
    draft += ".draft";
    int reason = write_anew(draft, to_json(ready));
    if (reason == 0 && ::rename(draft.c_str(), path.c_str()) != 0) reason = errno;
    if (reason == 0) return {};
    ::unlink(draft.c_str());
    return fail(ErrorCode::kUnavailable,
                "cannot write ready file \"" + path.string() +
                    "\": " + std::generic_category().message(reason));
}

}  // namespace lepton::server
