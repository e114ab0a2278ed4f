#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lepton/core/model_control.h"
#include "lepton/core/model_spec.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/config/model_settings.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/tuning/tuning_plan.h"

namespace lepton::model {

// When the files of a version were written: to tell whether a loaded one has changed.
struct Stamp {
    std::filesystem::file_time_type model;
    std::filesystem::file_time_type config;
    std::vector<std::filesystem::file_time_type> samples;  // Files of the warm-up.

    friend bool operator==(const Stamp&, const Stamp&) = default;
};

// One version that serves: from what it was made, and how it is run. Immutable once it is in the
// table.
struct ServedVersion {
    std::shared_ptr<const ModelSpec> spec;
    std::filesystem::path file;
    Stamp stamp;
    std::string engine;
    Measured measured;
    TuningPlan plan;
    std::optional<TuningPlan> rest;  // See LoadedModel.
    ModelConfig loaded;              // With which its sessions were made,
    ModelConfig config;              // and the one in force.

    static ServedVersion of(const LoadedModel& model,
                            std::filesystem::path file,
                            Stamp stamp,
                            const ModelConfig& config);

    [[nodiscard]] const std::string& name() const { return spec->name; }
    [[nodiscard]] std::int64_t number() const;
};

// What a client is told of it.
[[nodiscard]] ModelConfiguration to_configuration(const ServedVersion& version);

}  // namespace lepton::model
