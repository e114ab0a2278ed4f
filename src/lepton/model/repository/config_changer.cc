#include "lepton/model/repository/config_changer.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lepton/core/file_draft.h"
#include "lepton/model/config/config_file.h"
#include "lepton/model/config/model_settings.h"
#include "lepton/model/repository/served_version.h"

namespace lepton::model {
namespace {

// The settings that somebody has changed, for the file.
Result<FileDraft> draft_of(const ModelConfig& config, const std::filesystem::path& file) {
    NamedSettings settings;
    for (const ModelSetting& setting : settings_of(config, {})) {
        if (setting.origin == SettingOrigin::kChanged) {
            settings.emplace_back(setting.name, setting.value);
        }
    }
    return draft_with_settings(file, settings);
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
    ModelConfig wanted = before->config;
    for (const auto& [setting, value] : change.settings) {
        LEPTON_RETURN_IF_ERROR(set_setting(wanted, setting, value, SettingOrigin::kChanged));
    }
    LEPTON_RETURN_IF_ERROR(check_change(wanted, change.settings, cores_));
    const std::string& name = before->name();
    const std::filesystem::path config_file = table_.folder(name).config_file();
    std::optional<FileDraft> edit;
    if (change.save) {
        LEPTON_TRY(FileDraft prepared, draft_of(wanted, config_file));
        edit.emplace(std::move(prepared));
    }
    ConfigChanged changed;
    LEPTON_TRY(changed.reloaded, lifecycle_.reconfigure(*before, wanted));
    if (edit) {
        LEPTON_RETURN_IF_ERROR(edit->commit());
        changed.saved_to = config_file.string();
        ServedVersion saved = *table_.serving(name, before->spec->version);
        saved.stamp.config = written(config_file);
        for (auto& [setting, origin] : saved.config.origins) origin = SettingOrigin::kConfigured;
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
