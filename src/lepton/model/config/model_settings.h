#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lepton/core/model_control.h"
#include "lepton/core/result.h"
#include "lepton/model/config/model_config.h"

namespace lepton::model {

// The settings of a model that can be changed while it serves: name, bounds, and where in a
// ModelConfig the value stands. The same names serve in requests to change them, as `parameters` in
// config.pbtxt, and as flags of `lepton tune`.

[[nodiscard]] bool is_setting(std::string_view name);

// Sets one value and notes who chose it. Errors: kInvalidArgument naming setting, value and bound.
Result<> set_setting(ModelConfig& config,
                     std::string_view name,
                     const SettingValue& value,
                     SettingOrigin origin);
// The same from text. Precondition: is_setting(name).
Result<> set_setting_text(ModelConfig& config, std::string_view name, std::string_view text);

// Whether the settings make sense together, as far as the change names them. `cores` are what the
// models may use. Errors: kInvalidArgument.
Result<> check_change(const ModelConfig& wanted,
                      const std::vector<std::pair<std::string, SettingValue>>& change,
                      int cores);

// Whether `wanted` takes other sessions than those that were made for `loaded`.
[[nodiscard]] bool needs_sessions(const ModelConfig& loaded, const ModelConfig& wanted);

// All settings, sorted as a person reads them, and what was found by measurement where nothing was
// chosen.
struct Measured {
    int threads = 1;
    std::int64_t largest_batch = 1;  // Most rows of a run; 0: requests never share one.
};
[[nodiscard]] std::vector<ModelSetting> settings_of(const ModelConfig& config,
                                                    const Measured& measured);

}  // namespace lepton::model
