#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lepton/core/model_control.h"
#include "lepton/core/result.h"

namespace lepton::model {

using NamedSettings = std::vector<std::pair<std::string, SettingValue>>;

// The text of a config.pbtxt with these settings in force: they stand as `parameters` in a block at
// its end, between two marks, where the last word counts; settings that an earlier block holds stay
// unless they are among them. All else, comments and fields that Lepton does not know included, is
// kept byte for byte.
[[nodiscard]] std::string with_settings(std::string_view text, const NamedSettings& settings);

// A new config.pbtxt beside the old one, until commit() puts it in its place; thrown away without.
// Not thread-safe; the owner serialises.
class ConfigFileEdit {
public:
    // Writes it and makes sure that it is read as it should. Errors: kInternal for a file that
    // cannot be read or written.
    static Result<ConfigFileEdit> prepare(std::filesystem::path file,
                                          const NamedSettings& settings);
    ~ConfigFileEdit();
    ConfigFileEdit(ConfigFileEdit&& other) noexcept;
    ConfigFileEdit& operator=(ConfigFileEdit&&) = delete;
    ConfigFileEdit(const ConfigFileEdit&) = delete;
    ConfigFileEdit& operator=(const ConfigFileEdit&) = delete;

    // Atomic: whoever reads the file sees the old text or the new one.
    Result<> commit();

private:
    ConfigFileEdit(std::filesystem::path file, std::filesystem::path written)
        : file_(std::move(file)), written_(std::move(written)) {}

    std::filesystem::path file_;
    std::filesystem::path written_;  // Empty once it was moved or committed.
};

}  // namespace lepton::model
