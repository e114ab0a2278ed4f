#include "lepton/server/ready_file.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "lepton/core/file_draft.h"
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
           (failed.empty() ? "" : ", \"failed\": [" + failed + "]") +
           (ready.admin_url.empty() ? "" : ", \"admin_url\": " + json_string(ready.admin_url)) +
           "}\n";
}

Result<> write_ready_file(const std::filesystem::path& path, const ReadyFile& ready) {
    return replace_file(path, to_json(ready)).map_error([](Error error) {
        error.message.insert(0, "ready file: ");
        return error;
    });
}

}  // namespace lepton::server
