#include "lepton/model/repository/config_changer.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lepton/core/file_draft.h"
#include "lepton/model/config/config_file.h"
#include "lepton/model/config/model_settings.h"
#include "lepton/model/repository/served_version.h"

namespace lepton::model {
namespace {

bool is_changed(const ModelConfig& config, std::string_view setting) {
    const auto origin = config.origins.find(setting);
    return origin != config.origins.end() && origin->second == SettingOrigin::kChanged;
}

// What the change itself sets, but not what was tried before it; and the policy as well, where an
// earlier change brought the one without which this one has no effect.
NamedSettings to_save(const ConfigChange& change, const ModelConfig& wanted) {
    const auto names = [&change](std::string_view name) {
        return std::any_of(change.settings.begin(), change.settings.end(), [name](const auto& set) {
            return set.first == name;
        });
    };
    const bool of_fifo = std::any_of(std::begin(kSettingsOfFifo),
                                     std::end(kSettingsOfFifo),
                                     [&names](std::string_view name) { return names(name); });
    const bool with_policy = of_fifo && !names("policy") && is_changed(wanted, "policy");
    NamedSettings saved;
    for (const ModelSetting& setting : settings_of(wanted, {})) {
        if (names(setting.name) || (with_policy && setting.name == "policy")) {
            saved.emplace_back(setting.name, setting.value);
        }
    }
    return saved;
}

}  // namespace

Result<ModelTable::Serving> serving(const ModelTable& table,
                                    std::string_view name,
                                    std::string_view version) {
    LEPTON_TRY(const std::shared_ptr<const ModelSpec> spec, table.find(name, version));
    ModelTable::Serving found = table.serving(name, spec->version);
    if (found != nullptr) return found;
    return fail(ErrorCode::kUnavailable, "model \"" + std::string(name) + "\" is retired");
}

Result<ConfigChanged> ConfigChanger::change(const ConfigChange& change) {
    LEPTON_TRY(const ModelTable::Serving before, serving(table_, change.model, change.version));
    if (change.save && change.settings.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    "there is nothing to save: name the settings to save, with their values");
    }
    ModelConfig wanted = before->config;
    for (const auto& [setting, value] : change.settings) {
        LEPTON_RETURN_IF_ERROR(set_setting(wanted, setting, value, SettingOrigin::kChanged));
    }
    LEPTON_RETURN_IF_ERROR(check_change(wanted, change.settings, cores_));
    const std::string& name = before->name();
    const std::filesystem::path config_file = table_.folder(name).config_file();
    NamedSettings to_file;
    std::optional<FileDraft> edit;
    if (change.save) {
        to_file = to_save(change, wanted);
        LEPTON_TRY(FileDraft prepared, draft_with_settings(config_file, to_file));
        edit.emplace(std::move(prepared));
    }
    ConfigChanged changed;
    LEPTON_TRY(changed.reloaded, lifecycle_.reconfigure(*before, wanted));
    if (edit) {
        LEPTON_RETURN_IF_ERROR(edit->commit());
        changed.saved_to = config_file.string();
        ServedVersion saved = *table_.serving(name, before->spec->version);
        saved.stamp.config = written(config_file);
        for (const auto& [setting, value] : to_file) {
            saved.config.origins[setting] = SettingOrigin::kConfigured;
        }
        table_.replace(std::make_shared<const ServedVersion>(std::move(saved)));
    }
    changed.now = to_configuration(*table_.serving(name, before->spec->version));
    const ModelConfiguration was = to_configuration(*before);
    for (std::size_t i = 0; i < was.settings.size(); ++i) {
        const ModelSetting& old = was.settings[i];
        const ModelSetting& now = changed.now.settings[i];
        if (old.value != now.value) {
            changed.differences.push_back({old.name, old.value, now.value});
        }
    }
    return changed;
}

}  // namespace lepton::model
