#include "lepton/model/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "lepton/model/model_config.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBegin = "# Settings saved by a change at run time; begin";
constexpr std::string_view kEnd = "# Settings saved by a change at run time; end";
constexpr std::string_view kKey = "parameters { key: \"";
constexpr std::string_view kValue = "\" value { string_value: \"";
constexpr std::string_view kChanged = "settings_changed";
constexpr std::string_view kClose = "\" } }";

std::string line_of(const std::string& name, const std::string& value) {
    std::string line(kKey);
    line.append(name).append(kValue).append(value).append(kClose);
    return line;
}

// The name that a line of ours sets; empty for any other line.
std::string_view name_of(std::string_view line) {
    if (!line.starts_with(kKey)) return {};
    line.remove_prefix(kKey.size());
    return line.substr(0, line.find('"'));
}

Error cannot(const char* what, const fs::path& file) {
    return {ErrorCode::kInternal,
            std::string("cannot ") + what + " " + file.string() + ": " +
                std::generic_category().message(errno)};
}

Result<> write_all(const fs::path& file, std::string_view text, mode_t mode) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) return tl::unexpected<Error>(cannot("write", file));
    bool good = true;
    while (good && !text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else {
            good = errno == EINTR;
        }
    }
    good = good && ::fsync(fd) == 0;
    Result<> result;
    if (!good) result = tl::unexpected<Error>(cannot("write", file));
    ::close(fd);
    return result;
}

}  // namespace

std::string with_settings(std::string_view text, const NamedSettings& settings) {
    std::istringstream lines{std::string(text)};
    std::string kept;
    std::vector<std::string> saved;
    bool ours = false;
    for (std::string line; std::getline(lines, line);) {
        if (line == kBegin || line == kEnd) {
            ours = line == kBegin;
        } else if (!ours) {
            kept.append(line).append("\n");
        } else if (std::none_of(settings.begin(), settings.end(), [&](const auto& setting) {
                       return setting.first == name_of(line);
                   })) {
            saved.push_back(line);
        }
    }
    for (const auto& [name, value] : settings) saved.push_back(line_of(name, to_text(value)));
    // A file that was an answer of the server names what was measured, which does not count then.
    if (kept.find("settings_tuned") != std::string::npos) {
        std::string changed;
        for (const std::string& line : saved) {
            if (name_of(line) != kChanged) changed.append(name_of(line)).append(",");
        }
        std::erase_if(saved, [](const std::string& line) { return name_of(line) == kChanged; });
        saved.push_back(line_of(std::string(kChanged), changed));
    }
    kept.append(kBegin).append("\n");
    for (const std::string& line : saved) kept.append(line).append("\n");
    kept.append(kEnd).append("\n");
    return kept;
}

Result<ConfigFileEdit> ConfigFileEdit::prepare(fs::path file, const NamedSettings& settings) {
    std::string old;
    mode_t mode = 0644;
    if (struct stat status{}; ::stat(file.c_str(), &status) == 0) {
        mode = status.st_mode & 0777;
        std::ifstream stream(file);
        old.assign(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
        if (!stream) return tl::unexpected<Error>(cannot("read", file));
    }
    const std::string text = with_settings(old, settings);
    LEPTON_CHECK_OK(parse_model_config(text, file.string()));
    fs::path beside = file;
    beside += ".new." + std::to_string(::getpid());
    ConfigFileEdit edit(std::move(file), beside);
    LEPTON_CHECK_OK(write_all(beside, text, mode));
    return edit;
}

ConfigFileEdit::ConfigFileEdit(ConfigFileEdit&& other) noexcept
    : file_(std::move(other.file_)), written_(std::move(other.written_)) {
    other.written_.clear();
}

ConfigFileEdit::~ConfigFileEdit() {
    std::error_code ignored;
    if (!written_.empty()) fs::remove(written_, ignored);
}

Result<> ConfigFileEdit::commit() {
    if (::rename(written_.c_str(), file_.c_str()) != 0) {
        return tl::unexpected<Error>(cannot("replace", file_));
    }
    written_.clear();
    return {};
}

}  // namespace lepton::model
