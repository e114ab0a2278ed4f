// Reads any bytes as a change to a model's configuration, applies it, and saves it as text: an
// accepted change must be read back unchanged.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lepton/memory/buffer_pool.h"
#include "lepton/model/config/config_file.h"
#include "lepton/model/config/model_settings.h"
#include "lepton/protocol/admin/config_change.h"

namespace lepton {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void run(std::string_view body) {
    static memory::BufferPool pool;
    memory::Buffer buffer = pool.take(body.size() + 1);
    buffer.append(body);
    const Result<ConfigChange> change = protocol::parse_config_change(buffer);
    if (!change) return require(!change.error().message.empty());
    model::ModelConfig config;
    for (const auto& [name, value] : change->settings) {
        const auto set = model::set_setting(config, name, value, SettingOrigin::kChanged);
        if (!set) return require(!set.error().message.empty());
    }
    (void)model::check_change(config, change->settings, 4);
    model::NamedSettings settings;
    for (const ModelSetting& setting : model::settings_of(config, {})) {
        if (setting.origin != SettingOrigin::kChanged) continue;
        settings.emplace_back(setting.name, setting.value);
    }
    const auto read = model::parse_model_config(model::with_settings("", settings), "text");
    require(read.has_value());
    for (const ModelSetting& setting : model::settings_of(*read, {})) {
        for (const auto& [name, value] : settings) {
            require(name != setting.name || to_text(value) == to_text(setting.value));
        }
    }
}

}  // namespace
}  // namespace lepton

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lepton::run({reinterpret_cast<const char*>(data), size});
    return 0;
}
