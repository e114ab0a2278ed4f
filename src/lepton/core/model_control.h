#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"
#include "lepton/core/warm_up_sample.h"

namespace lepton {

using SettingValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>>;

// Who chose the value of a setting.
enum class SettingOrigin : std::uint8_t {
    kDefault,
    kConfigured,  // config.pbtxt.
    kTuned,       // Measured when the model was loaded.
    kChanged,     // Somebody, while the server runs.
};

struct ModelSetting {
    std::string name;
    SettingValue value;
    SettingOrigin origin = SettingOrigin::kDefault;
};

// How requests of one priority wait, in the terms of Triton's ModelQueuePolicy.
struct QueuePolicyConfiguration {
    std::int64_t timeout_us = 0;
    bool delays = false;
    bool allows_override = false;
    std::int64_t max_queue_size = 0;
};

// How one version of a model is run at the moment.
struct ModelConfiguration {
    std::shared_ptr<const ModelSpec> spec;
    std::string backend;    // The engine's name.
    std::string file_name;  // The model's file in the version's folder.
    std::int64_t instances = 1;
    std::int64_t max_batch_size = 0;  // 0: no bound on a request's rows.
    bool fifo = false;
    std::vector<std::int64_t> preferred_batch_sizes;
    std::int64_t max_queue_delay_us = 0;
    QueuePolicyConfiguration queue_policy;
    std::uint32_t priority_levels = 0;  // 0: none are told, and the next two are nothing.
    std::uint32_t default_priority_level = 0;
    std::map<std::uint32_t, QueuePolicyConfiguration> priority_queue_policies;
    std::int64_t latest_versions = 1;             // What config.pbtxt's version_policy says;
    std::vector<std::int64_t> specific_versions;  // 0: these.
    std::vector<WarmUpSample> warm_up;
    std::vector<ModelSetting> settings;  // What can be changed.
};

struct ConfigChange {
    std::string model;
    std::string version;  // Empty: the latest.
    std::vector<std::pair<std::string, SettingValue>> settings;
    bool save = false;  // In config.pbtxt, for the next start.
};

struct ConfigChanged {
    struct Difference {
        std::string name;
        SettingValue before;
        SettingValue after;
    };
    ModelConfiguration now;
    std::vector<Difference> differences;
    bool reloaded = false;  // Otherwise applied to the sessions that were there.
    std::string saved_to;   // Empty: nowhere.
};

// Tells and changes how models are run. Thread-safe.
class ModelControl {
public:
    using Done = std::function<void(Result<ConfigChanged>)>;

    virtual ~ModelControl() = default;

    // Errors: as ModelCatalog::find.
    [[nodiscard]] virtual Result<ModelConfiguration> configuration(
        std::string_view name, std::string_view version) const = 0;

    // Queues the change, all of it or nothing; `done` is called once, on a thread of the control's
    // own, after which the configuration is in force. Errors: kInvalidArgument naming setting,
    // value and bound; those of configuration(); those of loading the model; kQueueFull;
    // kUnavailable when the server stops.
    virtual void change(ConfigChange change, Done done) = 0;
};

[[nodiscard]] std::string_view to_string(SettingOrigin origin);
// The value as a person writes it: "4", "0.5", "fifo", "2,4,8".
[[nodiscard]] std::string to_text(const SettingValue& value);

}  // namespace lepton
