#include "lepton/model/config/config_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "lepton/model/config/model_config.h"

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

// A saved setting that would have no effect any more goes too: it would only be warned of.
bool is_replaced(std::string_view name, const NamedSettings& settings) {
    return std::any_of(settings.begin(), settings.end(), [name](const auto& setting) {
        const bool ends_fifo = setting.first == "policy" && to_text(setting.second) != "fifo";
        return setting.first == name || (ends_fifo && std::find(std::begin(kSettingsOfFifo),
                                                                std::end(kSettingsOfFifo),
                                                                name) != std::end(kSettingsOfFifo));
    });
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
        } else if (!is_replaced(name_of(line), settings)) {
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

Result<FileDraft> draft_with_settings(fs::path file, const NamedSettings& settings) {
    std::string old;
    mode_t mode = 0644;
    if (struct stat status{}; ::stat(file.c_str(), &status) == 0) {
        mode = status.st_mode & 0777;
        std::ifstream stream(file);
        old.assign(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
        if (!stream) return fail(ErrorCode::kUnavailable, "cannot read " + file.string());
    }
    const std::string text = with_settings(old, settings);
    LEPTON_RETURN_IF_ERROR(parse_model_config(text, file.string()));
    return FileDraft::write(std::move(file), text, mode, true);
}

}  // namespace lepton::model
