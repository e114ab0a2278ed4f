#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/data_type.h"
#include "lepton/core/device.h"
#include "lepton/core/model_control.h"
#include "lepton/core/result.h"
#include "lepton/core/shape.h"
#include "lepton/core/warm_up_sample.h"
#include "lepton/engine/engine.h"
#include "lepton/model/loaded_model.h"

namespace lepton::model {

// The most requests that may wait for a model, and what no bound on their number is taken for.
constexpr std::int64_t kMostQueued = 1'000'000;

struct TensorConfig {
    std::string name;
    std::optional<DataType> dtype;
    std::optional<Shape> dims;  // Without the batch axis where ModelConfig's dims_of_rows.
};

// Between which a controller chooses the number of instances by the load.
struct InstanceBounds {
    int least = 0;  // 0: no controller.
    int most = 0;

    friend bool operator==(const InstanceBounds&, const InstanceBounds&) = default;
};

// Which of the versions that are there are served.
struct VersionPolicy {
    std::int64_t latest = 1;  // That many of the highest numbers; 0: as `specific` says.
    std::vector<std::int64_t> specific;

    [[nodiscard]] bool serves(std::int64_t version, std::span<const std::int64_t> ascending) const;
};

// What a config.pbtxt says; a file that says nothing, or none, leaves all as it stands here, to be
// completed from the model.
struct ModelConfig {
    std::string name;     // Empty: the folder's.
    std::string backend;  // An engine's name, or Triton's for it; where the file names one.
    std::string platform;
    Device device{};                // That computes it.
    engine::Parameters parameters;  // Those that are none of ours.
    std::string default_model_filename;
    std::optional<std::int64_t> max_batch_size;
    // Whether the file's own max_batch_size is above 0, so that its `dims` leave the batch axis
    // out: a change of the setting does not write them anew.
    bool dims_of_rows = false;
    std::vector<TensorConfig> inputs;
    std::vector<TensorConfig> outputs;
    int instances = 1;
    InstanceBounds instance_bounds;
    int threads = 0;  // Threads of each instance; 0: found by measurement.
    engine::Precision precision = engine::Precision::kF32;
    std::vector<std::int64_t> pad_to;  // See ModelSpec.
    QueueOptions queue;
    VersionPolicy versions;
    std::vector<WarmUpSample> warm_up;
    // Of the settings (model_settings.h) that somebody chose; the others have their defaults.
    std::map<std::string, SettingOrigin, std::less<>> origins;
    std::vector<std::string> warnings;  // Fields of Triton's that have no effect here.
    std::string text;                   // The file's, for a process that is to read it again,
    std::string source;                 // and what it is called in messages.
};

// Reads protobuf text. `source` names the file in messages. Errors: kInvalidArgument naming line
// and field for unknown fields, values out of range, and fields that would change the meaning of a
// request and are not offered.
Result<ModelConfig> parse_model_config(std::string_view text, const std::string& source);

// The defaults when the file does not exist.
Result<ModelConfig> read_model_config(const std::filesystem::path& file);

}  // namespace lepton::model
