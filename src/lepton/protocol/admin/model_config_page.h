#pragma once

#include <string_view>

#include "lepton/core/data_type.h"
#include "lepton/core/model_control.h"
#include "lepton/core/shape.h"
#include "lepton/memory/buffer.h"

namespace lepton::protocol {

// The configuration of a model as Triton's HTTP API tells it: its ModelConfig as JSON. What has no
// field there stands in `parameters`: every setting by name, and how the model is run.
// https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_configuration.md
// `body` was taken from a pool.
void write_model_config(const ModelConfiguration& now, memory::Buffer& body);

// The same, and what a change came to: "changed": {"policy": {"from": "deadline", "to": "fifo"}},
// "reloaded", "saved_to".
void write_config_changed(const ConfigChanged& changed, memory::Buffer& body);

// Triton's ModelConfig leaves the batch axis out where max_batch_size is above 0.
[[nodiscard]] Shape config_dims(const ModelConfiguration& now, const Shape& shape);
// Whether `dynamic_batching` says something of the model: how it batches, or how requests wait.
[[nodiscard]] bool tells_batching(const ModelConfiguration& now);
// "TYPE_FP32"; and its number in Triton's enum.
[[nodiscard]] std::string_view config_type(DataType type);
[[nodiscard]] int config_type_number(DataType type);
// Calls visit(name, text) for each entry of `parameters`.
template <class Visit>
void for_each_parameter(const ModelConfiguration& now, Visit visit);

template <class Visit>
void for_each_parameter(const ModelConfiguration& now, Visit visit) {
    for (const auto& [name, value] : now.spec->properties) {
        if (name != "instances" && name != "threads") visit(std::string_view(name), value);
    }
    for (const ModelSetting& setting : now.settings) {
        visit(std::string_view(setting.name), to_text(setting.value));
    }
    // Names of the settings that are not at their defaults, by who chose them.
    for (const SettingOrigin origin :
         {SettingOrigin::kConfigured, SettingOrigin::kTuned, SettingOrigin::kChanged}) {
        std::string names;
        for (const ModelSetting& setting : now.settings) {
            if (setting.origin != origin) continue;
            if (!names.empty()) names += ',';
            names += setting.name;
        }
        visit("settings_" + std::string(to_string(origin)), names);
    }
}

}  // namespace lepton::protocol
