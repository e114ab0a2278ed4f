#include "lepton/model/config/model_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

namespace lepton::model {
namespace {

// Bounds against slips of a unit or a digit: beyond, a value would take the machine's memory or
// mean nothing.
constexpr std::int64_t kMostRows = 4096;
constexpr std::int64_t kMostInstances = 1024;
constexpr std::int64_t kMostThreads = 256;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;
constexpr double kLongestDeadlineMs = 365.0 * 24 * 3600 * 1000;
constexpr std::int64_t kLongestDelayUs = 60'000'000;
constexpr double kLeastWeight = 0.001;
constexpr double kMostWeight = 1000;
constexpr std::size_t kMostPreferred = 32;
// Threads of computing for each core.
constexpr std::int64_t kMostPerCore = 8;

constexpr std::string_view kAuto = "auto";
constexpr std::string_view kAutoBetween = "auto:";

std::string quoted(const SettingValue& value) {
    if (std::holds_alternative<std::string>(value)) return '"' + to_text(value) + '"';
    if (std::holds_alternative<std::vector<std::int64_t>>(value)) return '[' + to_text(value) + ']';
    return to_text(value);
}

tl::unexpected<Error> refuse(std::string_view name,
                             const SettingValue& value,
                             const std::string& needed) {
    return fail(ErrorCode::kInvalidArgument,
                std::string(name) + " must be " + needed + ", not " + quoted(value));
}

template <class Number>
std::optional<Number> as_number(std::string_view text) {
    Number number{};
    const char* const end = text.data() + text.size();
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): `end` is its end.
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
    return number;
}

// Reads the numbers of "auto:1-4".
std::optional<InstanceBounds> bounds_of(std::string_view text) {
    if (!text.starts_with(kAutoBetween)) return std::nullopt;
    text.remove_prefix(kAutoBetween.size());
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto least = as_number<int>(text.substr(0, dash));
    const auto most = as_number<int>(text.substr(dash + 1));
    if (!least || !most || *least < 1 || *most < *least || *most > kMostInstances) {
        return std::nullopt;
    }
    return InstanceBounds{*least, *most};
}

bool is_auto(const SettingValue& value) {
    const auto* text = std::get_if<std::string>(&value);
    return text != nullptr && *text == kAuto;
}

Result<std::int64_t> whole(std::string_view name,
                           const SettingValue& value,
                           std::int64_t least,
                           std::int64_t most,
                           const char* otherwise = "") {
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number != nullptr && *number >= least && *number <= most) return *number;
    const char* const kind = number != nullptr ? "" : "a whole number from ";
    return refuse(
        name, value, kind + std::to_string(least) + " to " + std::to_string(most) + otherwise);
}

Result<double> real(std::string_view name, const SettingValue& value, double least, double most) {
    std::optional<double> number;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        number = static_cast<double>(*integer);
    } else if (const auto* fraction = std::get_if<double>(&value)) {
        number = *fraction;
    }
    if (number && std::isfinite(*number) && *number >= least && *number <= most) return *number;
    const char* const kind = number ? "" : "a number from ";
    return refuse(name, value, kind + to_text(least) + " to " + to_text(most));
}

using std::chrono::duration_cast;
using std::chrono::microseconds;
using Milliseconds = std::chrono::duration<double, std::milli>;

Result<> set_max_batch_size(ModelConfig& config, std::string_view name, const SettingValue& value) {
    config.max_batch_size.reset();
    if (is_auto(value)) return {};
    LEPTON_TRY(config.max_batch_size, whole(name, value, 0, kMostRows, ", or \"auto\""));
    return {};
}

Result<> set_instances(ModelConfig& config, std::string_view name, const SettingValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
        const auto bounds = bounds_of(*text);
        if (!bounds) {
            return refuse(name,
                          value,
                          "a whole number, or \"auto:1-4\" with bounds from 1 to " +
                              std::to_string(kMostInstances));
        }
        config.instance_bounds = *bounds;
        config.instances = std::clamp(config.instances, bounds->least, bounds->most);
        return {};
    }
    LEPTON_TRY(const std::int64_t count, whole(name, value, 1, kMostInstances));
    config.instances = static_cast<int>(count);
    config.instance_bounds = {};
    return {};
}

Result<> set_threads(ModelConfig& config, std::string_view name, const SettingValue& value) {
    config.threads = 0;
    if (is_auto(value)) return {};
    LEPTON_TRY(const std::int64_t count, whole(name, value, 1, kMostThreads, ", or \"auto\""));
    config.threads = static_cast<int>(count);
    return {};
}

Result<> set_deadline(ModelConfig& config, std::string_view name, const SettingValue& value) {
    LEPTON_TRY(const double count, real(name, value, 0, kLongestDeadlineMs));
    // Whole microseconds, as config.pbtxt has them, so that a value is told as it was given.
    const auto timeout = std::chrono::round<microseconds>(Milliseconds(count));
    if (count > 0 && timeout == microseconds::zero()) {
        return refuse(name, value, "0 or at least 0.001");
    }
    config.queue.default_timeout = timeout;
    return {};
}

Result<> set_queue_size(ModelConfig& config, std::string_view name, const SettingValue& value) {
    LEPTON_TRY(const std::int64_t count, whole(name, value, 1, kMostQueued));
    config.queue.max_queued_requests = static_cast<std::size_t>(count);
    return {};
}

Result<> set_queue_bytes(ModelConfig& config, std::string_view name, const SettingValue& value) {
    LEPTON_TRY(const std::int64_t count, whole(name, value, 1, kMostBytes));
    config.queue.max_queued_bytes = static_cast<std::size_t>(count);
    return {};
}

Result<> set_policy(ModelConfig& config, std::string_view name, const SettingValue& value) {
    if (value == SettingValue("deadline")) {
        config.queue.policy = QueuePolicy::kDeadline;
    } else if (value == SettingValue("fifo")) {
        config.queue.policy = QueuePolicy::kFifo;
    } else {
        return refuse(name, value, "one of deadline, fifo");
    }
    return {};
}

Result<> set_delay(ModelConfig& config, std::string_view name, const SettingValue& value) {
    LEPTON_TRY(const std::int64_t count, whole(name, value, 0, kLongestDelayUs));
    config.queue.max_queue_delay = microseconds(count);
    return {};
}

Result<> set_preferred(ModelConfig& config, std::string_view name, const SettingValue& value) {
    std::vector<std::int64_t> sizes;
    if (const auto* list = std::get_if<std::vector<std::int64_t>>(&value)) {
        sizes = *list;
    } else if (const auto* one = std::get_if<std::int64_t>(&value)) {
        sizes.push_back(*one);
    } else if (value != SettingValue("")) {
        return refuse(name, value, "a list of whole numbers");
    }
    const bool fit = std::all_of(sizes.begin(), sizes.end(), [](std::int64_t size) {
        return size >= 1 && size <= kMostRows;
    });
    if (!fit || sizes.size() > kMostPreferred) {
        return refuse(name,
                      value,
                      "a list of at most " + std::to_string(kMostPreferred) +
                          " whole numbers from 1 to " + std::to_string(kMostRows));
    }
    config.queue.preferred_batch_sizes = std::move(sizes);
    return {};
}

Result<> set_weight(ModelConfig& config, std::string_view name, const SettingValue& value) {
    LEPTON_TRY(config.queue.weight, real(name, value, kLeastWeight, kMostWeight));
    return {};
}

SettingValue policy_name(QueuePolicy policy) {
    return std::string(policy == QueuePolicy::kFifo ? "fifo" : "deadline");
}

SettingValue milliseconds(Clock::duration time) {
    const double count = Milliseconds(time).count();
    if (count == std::floor(count)) return static_cast<std::int64_t>(count);
    return count;
}

struct Setting {
    std::string_view name;
    Result<> (*set)(ModelConfig&, std::string_view, const SettingValue&);
    SettingValue (*get)(const ModelConfig&);
};

const std::array<Setting, 10>& settings() {
    static const std::array<Setting, 10> all{{
        {"max_batch_size",
         set_max_batch_size,
         [](const ModelConfig& config) -> SettingValue {
             if (config.max_batch_size) return *config.max_batch_size;
             return std::string(kAuto);
         }},
        {"instances",
         set_instances,
         [](const ModelConfig& config) -> SettingValue {
             const InstanceBounds& bounds = config.instance_bounds;
             if (bounds.least == 0) return static_cast<std::int64_t>(config.instances);
             return std::string(kAutoBetween) + std::to_string(bounds.least) + "-" +
                    std::to_string(bounds.most);
         }},
        {"threads",
         set_threads,
         [](const ModelConfig& config) -> SettingValue {
             if (config.threads > 0) return static_cast<std::int64_t>(config.threads);
             return std::string(kAuto);
         }},
        {"policy",
         set_policy,
         [](const ModelConfig& config) { return policy_name(config.queue.policy); }},
        {"default_deadline_ms",
         set_deadline,
         [](const ModelConfig& config) { return milliseconds(config.queue.default_timeout); }},
        {"max_queue_size",
         set_queue_size,
         [](const ModelConfig& config) -> SettingValue {
             return static_cast<std::int64_t>(config.queue.max_queued_requests);
         }},
        {"max_queue_bytes",
         set_queue_bytes,
         [](const ModelConfig& config) -> SettingValue {
             return static_cast<std::int64_t>(config.queue.max_queued_bytes);
         }},
        {"weight",
         set_weight,
         [](const ModelConfig& config) -> SettingValue { return config.queue.weight; }},
        {"max_queue_delay_us",
         set_delay,
         [](const ModelConfig& config) -> SettingValue {
             const auto delay = duration_cast<microseconds>(config.queue.max_queue_delay);
             return static_cast<std::int64_t>(delay.count());
         }},
        {"preferred_batch_sizes",
         set_preferred,
         [](const ModelConfig& config) -> SettingValue {
             return config.queue.preferred_batch_sizes;
         }},
    }};
    return all;
}

const Setting* find(std::string_view name) {
    const auto found = std::find_if(
        settings().begin(), settings().end(), [name](const auto& s) { return s.name == name; });
    return found == settings().end() ? nullptr : &*found;
}

std::string names() {
    std::string list;
    for (const Setting& setting : settings()) {
        if (!list.empty()) list += ", ";
        list += setting.name;
    }
    return list;
}

SettingValue value_of_text(std::string_view text) {
    if (const auto integer = as_number<std::int64_t>(text)) return *integer;
    if (const auto fraction = as_number<double>(text)) return *fraction;
    std::vector<std::int64_t> list;
    std::istringstream entries{std::string(text)};
    for (std::string entry; std::getline(entries, entry, ',');) {
        entry.erase(0, entry.find_first_not_of(' '));
        const auto number = as_number<std::int64_t>(entry);
        if (!number) return std::string(text);
        list.push_back(*number);
    }
    if (list.empty()) return std::string(text);
    return list;
}

bool names_setting(const std::vector<std::pair<std::string, SettingValue>>& change,
                   std::string_view name) {
    return std::any_of(
        change.begin(), change.end(), [name](const auto& entry) { return entry.first == name; });
}

}  // namespace

bool is_setting(std::string_view name) { return find(name) != nullptr; }

Result<> set_setting(ModelConfig& config,
                     std::string_view name,
                     const SettingValue& value,
                     SettingOrigin origin) {
    const Setting* setting = find(name);
    if (setting == nullptr) {
        return fail(ErrorCode::kInvalidArgument,
                    "unknown setting \"" + std::string(name) + "\", there are: " + names());
    }
    LEPTON_RETURN_IF_ERROR(setting->set(config, name, value));
    config.origins[std::string(name)] = origin;
    return {};
}

Result<> set_setting_text(ModelConfig& config, std::string_view name, std::string_view text) {
    return set_setting(config, name, value_of_text(text), SettingOrigin::kConfigured);
}

Result<> check_change(const ModelConfig& wanted,
                      const std::vector<std::pair<std::string, SettingValue>>& change,
                      int cores) {
    const QueueOptions& queue = wanted.queue;
    const bool delays = names_setting(change, "max_queue_delay_us");
    const bool prefers = names_setting(change, "preferred_batch_sizes");
    if (queue.policy != QueuePolicy::kFifo) {
        const std::string needed =
            " has an effect with policy \"fifo\" only, and the policy is \"deadline\": give both";
        if (delays && queue.max_queue_delay > Clock::duration::zero()) {
            return fail(ErrorCode::kInvalidArgument, "max_queue_delay_us" + needed);
        }
        if (prefers && !queue.preferred_batch_sizes.empty()) {
            return fail(ErrorCode::kInvalidArgument, "preferred_batch_sizes" + needed);
        }
    }
    if (wanted.max_batch_size && (prefers || names_setting(change, "max_batch_size"))) {
        for (const std::int64_t size : queue.preferred_batch_sizes) {
            if (size <= *wanted.max_batch_size) continue;
            return fail(ErrorCode::kInvalidArgument,
                        "preferred_batch_sizes has " + std::to_string(size) +
                            ", more than max_batch_size, which is " +
                            std::to_string(*wanted.max_batch_size));
        }
    }
    const int instances = std::max(wanted.instances, wanted.instance_bounds.most);
    const std::int64_t threads = std::int64_t{instances} * std::max(1, wanted.threads);
    const std::int64_t most = kMostPerCore * cores;
    if (threads > most &&
        (names_setting(change, "instances") || names_setting(change, "threads"))) {
        return fail(ErrorCode::kInvalidArgument,
                    "instances x threads is " + std::to_string(instances) + " x " +
                        std::to_string(std::max(1, wanted.threads)) + " = " +
                        std::to_string(threads) + ", at most " + std::to_string(most) +
                        " are allowed on " + std::to_string(cores) + " cores");
    }
    return {};
}

bool needs_sessions(const ModelConfig& loaded, const ModelConfig& wanted) {
    if (loaded.instances != wanted.instances || loaded.threads != wanted.threads) return true;
    if (loaded.max_batch_size == wanted.max_batch_size) return false;
    // Sessions for many rows serve for fewer, if the tensors' shapes are told the same way.
    return loaded.max_batch_size.value_or(0) == 0 || wanted.max_batch_size.value_or(0) == 0 ||
           *wanted.max_batch_size > *loaded.max_batch_size;
}

std::vector<ModelSetting> settings_of(const ModelConfig& config, const Measured& measured) {
    std::vector<ModelSetting> all;
    all.reserve(settings().size());
    for (const Setting& setting : settings()) {
        ModelSetting& entry = all.emplace_back();
        entry.name = setting.name;
        entry.value = setting.get(config);
        const auto origin = config.origins.find(setting.name);
        if (origin != config.origins.end()) entry.origin = origin->second;
        if (!is_auto(entry.value)) continue;
        entry.origin = SettingOrigin::kTuned;
        entry.value =
            setting.name == "threads" ? std::int64_t{measured.threads} : measured.largest_batch;
    }
    return all;
}

}  // namespace lepton::model
