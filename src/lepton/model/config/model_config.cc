#include "lepton/model/config/model_config.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <system_error>
#include <utility>

#include "lepton/model/config/config_text.h"
#include "lepton/model/config/model_settings.h"
#include "model_config.pb.h"

namespace lepton::model {
namespace {

// In the order of the proto's numbers.
constexpr std::array<DataType, 14> kDataTypes{DataType::kBool,
                                              DataType::kUint8,
                                              DataType::kUint16,
                                              DataType::kUint32,
                                              DataType::kUint64,
                                              DataType::kInt8,
                                              DataType::kInt16,
                                              DataType::kInt32,
                                              DataType::kInt64,
                                              DataType::kFp16,
                                              DataType::kFp32,
                                              DataType::kFp64,
                                              DataType::kBytes,
                                              DataType::kBf16};

DataType to_data_type(config::DataType type) {
    return kDataTypes[static_cast<std::size_t>(type) - 1];
}

template <class Tensor>
Result<TensorConfig> to_tensor(const Tensor& proto, const char* direction) {
    TensorConfig tensor;
    tensor.name = proto.name();
    const std::string what = std::string(direction) + " \"" + tensor.name + "\"";
    if (tensor.name.empty()) {
        return fail(ErrorCode::kInvalidArgument, std::string(direction) + " without a name");
    }
    if (proto.data_type() != config::TYPE_INVALID) {
        tensor.dtype = to_data_type(proto.data_type());
    }
    if (proto.dims().empty()) return tensor;
    Shape& dims = tensor.dims.emplace();
    for (const std::int64_t dim : proto.dims()) {
        if (dim < -1 || dim == 0) {
            return fail(ErrorCode::kInvalidArgument,
                        what + " has dim " + std::to_string(dim) +
                            ", only -1 and positive ones are allowed");
        }
        if (!dims.push_back(dim)) {
            return fail(ErrorCode::kInvalidArgument, what + " has more than 16 dims");
        }
    }
    return tensor;
}

Result<> read_precision(const std::string& value, engine::Precision& precision) {
    if (value == "f32") {
        precision = engine::Precision::kF32;
    } else if (value == "bf16") {
        precision = engine::Precision::kBf16;
    } else if (value == "f16") {
        precision = engine::Precision::kF16;
    } else {
        return fail(
            ErrorCode::kInvalidArgument,
            "parameter \"precision\" is \"" + value + "\", one of f32, bf16, f16 is needed");
    }
    return {};
}

// "64,128,256": positive and ascending.
Result<> read_pad_to(const std::string& value, std::vector<std::int64_t>& pad_to) {
    constexpr std::int64_t kLargest = std::int64_t{1} << 20;
    std::istringstream list(value + ",");
    for (std::string entry; std::getline(list, entry, ',');) {
        std::istringstream number(entry);
        std::int64_t extent = 0;
        char rest = 0;
        const bool is_number = (number >> extent) && !(number >> rest);
        if (!is_number || extent > kLargest || extent <= (pad_to.empty() ? 0 : pad_to.back())) {
            return fail(ErrorCode::kInvalidArgument,
                        "parameter \"pad_to\" is \"" + value +
                            "\", ascending extents between 1 and " + std::to_string(kLargest) +
                            " are needed, such as \"64,128,256\"");
        }
        pad_to.push_back(extent);
    }
    return {};
}

// Whether that parameter is a list in which the setting stands, as in an answer of our own.
bool lists(const config::ModelConfig& proto, const char* parameter, std::string_view setting) {
    const auto found = proto.parameters().find(parameter);
    if (found == proto.parameters().end()) return false;
    std::istringstream names(found->second.string_value());
    for (std::string name; std::getline(names, name, ',');) {
        if (name == setting) return true;
    }
    return false;
}

Result<> read_parameters(const config::ModelConfig& proto, ModelConfig& config) {
    for (const auto& [key, parameter] : proto.parameters()) {
        const std::string& value = parameter.string_value();
        if (key == "precision") {
            LEPTON_RETURN_IF_ERROR(read_precision(value, config.precision));
        } else if (is_setting(key)) {
            // What was measured for the one who was answered is measured again.
            const bool measured =
                lists(proto, "settings_tuned", key) && !lists(proto, "settings_changed", key);
            if (auto set = set_setting_text(config, key, measured ? "auto" : value); !set) {
                return fail(set.error().code, "parameter " + set.error().message);
            }
        } else if (key == "pad_to") {
            LEPTON_RETURN_IF_ERROR(read_pad_to(value, config.pad_to));
        } else if (key == "device") {
            const std::optional<Device> device = parse_device(value);
            if (!device) {
                return fail(ErrorCode::kInvalidArgument,
                            "parameter \"device\" is \"" + value +
                                "\", a device such as cpu or gpu:0 is needed");
            }
            config.device = *device;
        } else {
            config.parameters.emplace(key, value);
        }
    }
    // An answer of our own names every setting, and those that somebody chose.
    if (proto.parameters().contains("settings_configured")) {
        std::erase_if(config.origins, [&proto](const auto& entry) {
            return !lists(proto, "settings_configured", entry.first) &&
                   !lists(proto, "settings_changed", entry.first);
        });
    }
    return {};
}

std::chrono::microseconds microseconds(std::uint64_t count) {
    constexpr std::uint64_t kLongest = std::uint64_t{1} << 50;  // 35 years.
    return std::chrono::microseconds(static_cast<std::int64_t>(std::min(count, kLongest)));
}

// 0 is no bound to Triton; that on the bytes in the queue remains.
std::size_t most_queued(const config::ModelQueuePolicy& queue) {
    return queue.max_queue_size() == 0 ? std::size_t{kMostQueued} : queue.max_queue_size();
}

WaitBound to_wait_bound(const config::ModelQueuePolicy& queue) {
    return {.longest = microseconds(queue.default_timeout_microseconds()),
            .delays = queue.timeout_action() == config::ModelQueuePolicy::DELAY,
            .shortened = queue.allow_timeout_override()};
}

Result<> read_priorities(const config::ModelDynamicBatching& batching, QueueOptions& queue) {
    // Beyond it all are alike, and far below what a request may ask for.
    const auto priority = [](std::uint64_t level) {
        constexpr std::uint64_t kLowest = std::numeric_limits<std::uint32_t>::max();
        return static_cast<std::uint32_t>(std::min(level, kLowest));
    };
    const auto outside = [&batching](const std::string& what, std::uint64_t level) {
        return fail(ErrorCode::kInvalidArgument,
                    what + " " + std::to_string(level) +
                        " is not between 1 and priority_levels, which is " +
                        std::to_string(batching.priority_levels()));
    };
    const std::uint64_t by_default = batching.default_priority_level();
    const std::uint64_t levels = batching.priority_levels();
    if (levels > 0 && (by_default == 0 || by_default > levels)) {
        return outside("default_priority_level", by_default);
    }
    if (by_default == 0) return {};
    queue.default_priority = priority(by_default);
    // Whoever names a default has priorities, of any number.
    queue.priority_levels =
        levels > 0 ? priority(levels) : std::numeric_limits<std::uint32_t>::max();
    for (const auto& [level, policy] : batching.priority_queue_policy()) {
        if (level == 0 || (levels > 0 && level > levels)) {
            return outside("priority_queue_policy", level);
        }
        LevelOptions& options = queue.levels[priority(level)];
        options.wait = to_wait_bound(policy);
        options.max_queued_requests =
            policy.has_max_queue_size() ? most_queued(policy) : queue.max_queued_requests;
    }
    return {};
}

// What the configuration says of queues and only the policy fifo does.
void warn_of_fifo(const config::ModelDynamicBatching& batching, ModelConfig& config) {
    if (config.queue.policy == QueuePolicy::kFifo) return;
    const auto warn = [&config](const std::string& what, const char* instead) {
        config.warnings.push_back(what +
                                  " has no effect without the parameter policy = fifo: " + instead);
    };
    if (config.queue.max_queue_delay > Clock::duration::zero()) {
        warn("max_queue_delay_microseconds", "an idle instance takes what is queued");
    }
    const auto delays = [](const config::ModelQueuePolicy& policy) {
        return policy.timeout_action() == config::ModelQueuePolicy::DELAY;
    };
    bool delayed = delays(batching.default_queue_policy());
    bool bounded = false;
    for (const auto& [level, policy] : batching.priority_queue_policy()) {
        delayed = delayed || delays(policy);
        bounded = bounded || policy.has_max_queue_size();
    }
    if (delayed) warn("timeout_action DELAY", "such requests wait without a bound");
    if (bounded) {
        warn("max_queue_size in priority_queue_policy",
             "less important requests make room for others");
    }
}

Result<> read_batching(const config::ModelConfig& proto, ModelConfig& config) {
    const auto configured = [&config](const char* setting) {
        config.origins[setting] = SettingOrigin::kConfigured;
    };
    if (proto.has_max_batch_size()) {
        if (proto.max_batch_size() < 0) {
            return fail(ErrorCode::kInvalidArgument,
                        "max_batch_size is " + std::to_string(proto.max_batch_size()) +
                            ", at least 0 is needed");
        }
        config.max_batch_size = proto.max_batch_size();
        config.dims_of_rows = proto.max_batch_size() > 0;
        configured("max_batch_size");
    }
    const config::ModelDynamicBatching& batching = proto.dynamic_batching();
    for (const int size : batching.preferred_batch_size()) {
        if (size < 1 || (config.max_batch_size && size > *config.max_batch_size)) {
            return fail(ErrorCode::kInvalidArgument,
                        "preferred_batch_size " + std::to_string(size) +
                            " is not between 1 and max_batch_size");
        }
        config.queue.preferred_batch_sizes.push_back(size);
        configured("preferred_batch_sizes");
    }
    config.queue.max_queue_delay = microseconds(batching.max_queue_delay_microseconds());
    if (batching.max_queue_delay_microseconds() > 0) configured("max_queue_delay_us");
    const config::ModelQueuePolicy& queue = batching.default_queue_policy();
    if (queue.has_max_queue_size()) {
        config.queue.max_queued_requests = most_queued(queue);
        configured("max_queue_size");
    }
    config.queue.wait = to_wait_bound(queue);
    return read_priorities(batching, config.queue);
}

Result<> read_versions(const config::ModelVersionPolicy& proto, VersionPolicy& policy) {
    if (proto.has_all()) policy.latest = std::numeric_limits<std::int64_t>::max();
    if (proto.has_latest()) {
        policy.latest = std::max<std::int64_t>(1, proto.latest().num_versions());
    }
    if (proto.has_specific()) {
        policy.latest = 0;
        policy.specific.assign(proto.specific().versions().begin(),
                               proto.specific().versions().end());
        if (policy.specific.empty()) {
            return fail(ErrorCode::kInvalidArgument, "version_policy names no specific version");
        }
    }
    return {};
}

Result<WarmUpSample::Input> to_warm_up_input(const std::string& name,
                                             const config::ModelWarmup::Input& proto) {
    const auto refuse = [&name](const std::string& why) {
        return fail(ErrorCode::kInvalidArgument, "input \"" + name + "\" " + why);
    };
    WarmUpSample::Input input;
    input.name = name;
    if (proto.data_type() == config::TYPE_INVALID) return refuse("has no data_type");
    input.dtype = to_data_type(proto.data_type());
    for (const std::int64_t dim : proto.dims()) {
        if (dim < 0) {
            return refuse("has dim " + std::to_string(dim) + ", all have to be specified");
        }
        if (!input.dims.push_back(dim)) return refuse("has more than 16 dims");
    }
    switch (proto.input_data_type_case()) {
        case config::ModelWarmup::Input::kZeroData:
            break;
        case config::ModelWarmup::Input::kRandomData:
            input.content = WarmUpSample::Content::kRandom;
            break;
        case config::ModelWarmup::Input::kInputDataFile:
            input.content = WarmUpSample::Content::kFile;
            input.file = proto.input_data_file();
            break;
        case config::ModelWarmup::Input::INPUT_DATA_TYPE_NOT_SET:
            return refuse("has none of zero_data, random_data and input_data_file");
    }
    return input;
}

Result<> read_warm_up(const config::ModelConfig& proto, std::vector<WarmUpSample>& samples) {
    // Nobody can stop a load while it runs them.
    constexpr std::uint32_t kMostRuns = 1000;
    for (const config::ModelWarmup& entry : proto.model_warmup()) {
        WarmUpSample& sample = samples.emplace_back();
        const std::string what = "model_warmup \"" + entry.name() + "\": ";
        sample.name = entry.name();
        sample.batch_size = std::max<std::int64_t>(1, entry.batch_size());
        if (entry.count() > kMostRuns) {
            return fail(ErrorCode::kInvalidArgument,
                        what + "count is " + std::to_string(entry.count()) + ", at most " +
                            std::to_string(kMostRuns) + " is allowed");
        }
        sample.count = static_cast<int>(std::max(std::uint32_t{1}, entry.count()));
        // The proto's map has no order.
        const std::map<std::string, config::ModelWarmup::Input> inputs(entry.inputs().begin(),
                                                                       entry.inputs().end());
        for (const auto& [name, declared] : inputs) {
            auto input = to_warm_up_input(name, declared);
            if (!input) return fail(input.error().code, what + input.error().message);
            sample.inputs.push_back(*std::move(input));
        }
    }
    return {};
}

Result<ModelConfig> to_config(const config::ModelConfig& proto) {
    ModelConfig config;
    config.name = proto.name();
    config.backend = proto.backend();
    config.platform = proto.platform();
    config.default_model_filename = proto.default_model_filename();
    if (config.default_model_filename.find('/') != std::string::npos) {
        return fail(ErrorCode::kInvalidArgument,
                    "default_model_filename \"" + config.default_model_filename +
                        "\" is not a plain file name");
    }
    for (const config::ModelInput& input : proto.input()) {
        LEPTON_TRY(TensorConfig tensor, to_tensor(input, "input"));
        config.inputs.push_back(std::move(tensor));
    }
    for (const config::ModelOutput& output : proto.output()) {
        LEPTON_TRY(TensorConfig tensor, to_tensor(output, "output"));
        config.outputs.push_back(std::move(tensor));
    }
    constexpr int kMostInstances = 1024;
    if (!proto.instance_group().empty()) {
        config.instances = 0;
        config.origins["instances"] = SettingOrigin::kConfigured;
    }
    for (const config::ModelInstanceGroup& group : proto.instance_group()) {
        if (group.count() < 0 || group.count() > kMostInstances) {
            return fail(ErrorCode::kInvalidArgument,
                        "instance_group has count " + std::to_string(group.count()) +
                            ", between 1 and " + std::to_string(kMostInstances) + " is allowed");
        }
        config.instances += std::max(1, group.count());
    }
    LEPTON_RETURN_IF_ERROR(read_batching(proto, config));
    LEPTON_RETURN_IF_ERROR(read_parameters(proto, config));
    warn_of_fifo(proto.dynamic_batching(), config);
    LEPTON_RETURN_IF_ERROR(read_versions(proto.version_policy(), config.versions));
    LEPTON_RETURN_IF_ERROR(read_warm_up(proto, config.warm_up));
    return config;
}

}  // namespace

bool VersionPolicy::serves(std::int64_t version, std::span<const std::int64_t> ascending) const {
    if (latest == 0) return std::find(specific.begin(), specific.end(), version) != specific.end();
    const auto above =
        ascending.end() - std::upper_bound(ascending.begin(), ascending.end(), version);
    return above < latest;
}

Result<ModelConfig> parse_model_config(std::string_view text, const std::string& source) {
    std::vector<std::string> warnings;
    config::ModelConfig proto;
    LEPTON_RETURN_IF_ERROR(read_config_text(text, source, proto, warnings));
    Result<ModelConfig> config = to_config(proto);
    if (!config) {
        return fail(config.error().code, source + ": " + config.error().message);
    }
    for (const std::string& warning : config->warnings) {
        warnings.push_back(source);
        warnings.back().append(": ").append(warning);
    }
    config->warnings = std::move(warnings);
    config->text = text;
    config->source = source;
    return config;
}

Result<ModelConfig> read_model_config(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::exists(file, error)) return ModelConfig{};
    constexpr std::uintmax_t kLargestConfig = std::uintmax_t{1} << 20;
    if (std::filesystem::file_size(file, error) > kLargestConfig || error) {
        return fail(ErrorCode::kInvalidArgument, file.string() + " is not a file of at most 1 MiB");
    }
    std::ifstream stream(file);
    const std::string text{std::istreambuf_iterator<char>(stream),
                           std::istreambuf_iterator<char>()};
    if (!stream) return fail(ErrorCode::kInvalidArgument, file.string() + " cannot be read");
    return parse_model_config(text, file.string());
}

}  // namespace lepton::model
