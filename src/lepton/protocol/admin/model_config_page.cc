#include "lepton/protocol/admin/model_config_page.h"

#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "lepton/protocol/json/json_writer.h"

namespace lepton::protocol {
namespace {

struct WriteValue {
    void operator()(bool value) const { json.boolean(value); }
    void operator()(std::int64_t value) const { json.number(value); }
    void operator()(double value) const { json.number(value); }
    void operator()(const std::string& value) const { json.string(value); }
    void operator()(const std::vector<std::int64_t>& values) const {
        json.begin_array();
        for (const std::int64_t value : values) json.number(value);
        json.end_array();
    }

    JsonWriter& json;
};

void write_text(JsonWriter& json, std::string_view key, std::string_view value) {
    json.key(key);
    json.string(value);
}

void write_numbers(JsonWriter& json,
                   std::string_view key,
                   const std::vector<std::int64_t>& values) {
    json.key(key);
    WriteValue{json}(values);
}

void write_empty_array(JsonWriter& json, std::string_view key) {
    json.key(key);
    json.begin_array();
    json.end_array();
}

void write_empty_object(JsonWriter& json, std::string_view key) {
    json.key(key);
    json.begin_object();
    json.end_object();
}

void write_flag_of(JsonWriter& json, std::string_view key, bool value) {
    json.key(key);
    json.boolean(value);
}

void write_tensors(JsonWriter& json, const ModelConfiguration& now, bool inputs) {
    json.begin_array();
    for (const TensorSpec& tensor : inputs ? now.spec->inputs : now.spec->outputs) {
        json.begin_object();
        write_text(json, "name", tensor.name);
        write_text(json, "data_type", config_type(tensor.dtype));
        if (inputs) write_text(json, "format", "FORMAT_NONE");
        json.key("dims");
        json.begin_array();
        const Shape shape = config_dims(now, tensor.shape);
        for (const std::int64_t dim : shape.dims()) json.number(dim);
        json.end_array();
        if (!inputs) write_text(json, "label_filename", "");
        write_flag_of(json, "is_shape_tensor", false);
        if (inputs) {
            write_flag_of(json, "allow_ragged_batch", false);
            write_flag_of(json, "optional", false);
        }
        json.end_object();
    }
    json.end_array();
}

void write_versions(JsonWriter& json, const ModelConfiguration& now) {
    json.key("version_policy");
    json.begin_object();
    const bool all = now.latest_versions == std::numeric_limits<std::int64_t>::max();
    const std::string_view kind = all ? "all" : now.latest_versions > 0 ? "latest" : "specific";
    json.key(kind);
    json.begin_object();
    if (all) {
        // Says it all.
    } else if (now.latest_versions > 0) {
        json.key("num_versions");
        json.number(now.latest_versions);
    } else {
        write_numbers(json, "versions", now.specific_versions);
    }
    json.end_object();
    json.end_object();
}

void write_queue_policy(JsonWriter& json, const QueuePolicyConfiguration& policy) {
    json.begin_object();
    write_text(json, "timeout_action", policy.delays ? "DELAY" : "REJECT");
    json.key("default_timeout_microseconds");
    json.number(policy.timeout_us);
    write_flag_of(json, "allow_timeout_override", policy.allows_override);
    json.key("max_queue_size");
    json.number(policy.max_queue_size);
    json.end_object();
}

void write_batching(JsonWriter& json, const ModelConfiguration& now) {
    json.key("dynamic_batching");
    json.begin_object();
    write_numbers(json, "preferred_batch_size", now.preferred_batch_sizes);
    json.key("max_queue_delay_microseconds");
    json.number(now.max_queue_delay_us);
    write_flag_of(json, "preserve_ordering", false);
    if (now.priority_levels > 0) {
        json.key("priority_levels");
        json.number(std::int64_t{now.priority_levels});
        json.key("default_priority_level");
        json.number(std::int64_t{now.default_priority_level});
    }
    json.key("default_queue_policy");
    write_queue_policy(json, now.queue_policy);
    if (!now.priority_queue_policies.empty()) {
        json.key("priority_queue_policy");
        json.begin_object();
        for (const auto& [level, policy] : now.priority_queue_policies) {
            json.key(std::to_string(level));
            write_queue_policy(json, policy);
        }
        json.end_object();
    }
    json.end_object();
}

void write_instances(JsonWriter& json, const ModelConfiguration& now) {
    json.key("instance_group");
    json.begin_array();
    json.begin_object();
    write_text(json, "name", now.spec->name);
    write_text(json, "kind", "KIND_CPU");
    json.key("count");
    json.number(now.instances);
    write_empty_array(json, "gpus");
    write_empty_array(json, "secondary_devices");
    write_empty_array(json, "profile");
    write_flag_of(json, "passive", false);
    write_text(json, "host_policy", "");
    json.end_object();
    json.end_array();
}

void write_warm_up(JsonWriter& json, const ModelConfiguration& now) {
    json.key("model_warmup");
    json.begin_array();
    for (const WarmUpSample& sample : now.warm_up) {
        json.begin_object();
        write_text(json, "name", sample.name);
        json.key("batch_size");
        json.number(sample.batch_size);
        json.key("inputs");
        json.begin_object();
        for (const WarmUpSample::Input& input : sample.inputs) {
            json.key(std::string_view(input.name));
            json.begin_object();
            write_text(json, "data_type", config_type(input.dtype));
            json.key("dims");
            json.begin_array();
            for (const std::int64_t dim : input.dims) json.number(dim);
            json.end_array();
            switch (input.content) {
                case WarmUpSample::Content::kZero:
                    write_flag_of(json, "zero_data", true);
                    break;
                case WarmUpSample::Content::kRandom:
                    write_flag_of(json, "random_data", true);
                    break;
                case WarmUpSample::Content::kFile:
                    write_text(json, "input_data_file", input.file);
                    break;
            }
            json.end_object();
        }
        json.end_object();
        json.key("count");
        json.number(sample.count);
        json.end_object();
    }
    json.end_array();
}

void write_members(JsonWriter& json, const ModelConfiguration& now) {
    write_text(json, "name", now.spec->name);
    write_text(json, "platform", now.spec->platform);
    write_text(json, "backend", now.backend);
    write_versions(json, now);
    json.key("max_batch_size");
    json.number(now.max_batch_size);
    json.key("input");
    write_tensors(json, now, true);
    json.key("output");
    write_tensors(json, now, false);
    write_empty_array(json, "batch_input");
    write_empty_array(json, "batch_output");
    if (tells_batching(now)) write_batching(json, now);
    write_instances(json, now);
    write_text(json, "default_model_filename", now.file_name);
    write_empty_object(json, "cc_model_filenames");
    write_empty_object(json, "metric_tags");
    json.key("parameters");
    json.begin_object();
    for_each_parameter(now, [&json](std::string_view name, const std::string& value) {
        json.key(name);
        json.begin_object();
        write_text(json, "string_value", value);
        json.end_object();
    });
    json.end_object();
    write_warm_up(json, now);
}

}  // namespace

Shape config_dims(const ModelConfiguration& now, const Shape& shape) {
    return now.max_batch_size > 0 && !shape.empty() ? shape.row() : shape;
}

bool tells_batching(const ModelConfiguration& now) {
    return now.spec->batches || now.priority_levels > 0 || now.queue_policy.timeout_us > 0;
}

int config_type_number(DataType type) {
    switch (type) {
        case DataType::kBool:
            return 1;
        case DataType::kUint8:
            return 2;
        case DataType::kUint16:
            return 3;
        case DataType::kUint32:
            return 4;
        case DataType::kUint64:
            return 5;
        case DataType::kInt8:
            return 6;
        case DataType::kInt16:
            return 7;
        case DataType::kInt32:
            return 8;
        case DataType::kInt64:
            return 9;
        case DataType::kFp16:
            return 10;
        case DataType::kFp32:
            return 11;
        case DataType::kFp64:
            return 12;
        case DataType::kBytes:
            return 13;
        case DataType::kBf16:
            return 14;
    }
    return 0;
}

std::string_view config_type(DataType type) {
    static constexpr std::string_view kNames[] = {"TYPE_INVALID",
                                                  "TYPE_BOOL",
                                                  "TYPE_UINT8",
                                                  "TYPE_UINT16",
                                                  "TYPE_UINT32",
                                                  "TYPE_UINT64",
                                                  "TYPE_INT8",
                                                  "TYPE_INT16",
                                                  "TYPE_INT32",
                                                  "TYPE_INT64",
                                                  "TYPE_FP16",
                                                  "TYPE_FP32",
                                                  "TYPE_FP64",
                                                  "TYPE_STRING",
                                                  "TYPE_BF16"};
    return kNames[static_cast<std::size_t>(config_type_number(type))];
}

void write_model_config(const ModelConfiguration& now, memory::Buffer& body) {
    JsonWriter json(body);
    json.begin_object();
    write_members(json, now);
    json.end_object();
}

void write_config_changed(const ConfigChanged& changed, memory::Buffer& body) {
    JsonWriter json(body);
    json.begin_object();
    write_members(json, changed.now);
    json.key("changed");
    json.begin_object();
    for (const ConfigChanged::Difference& difference : changed.differences) {
        json.key(std::string_view(difference.name));
        json.begin_object();
        json.key("from");
        std::visit(WriteValue{json}, difference.before);
        json.key("to");
        std::visit(WriteValue{json}, difference.after);
        json.end_object();
    }
    json.end_object();
    write_flag_of(json, "reloaded", changed.reloaded);
    write_text(json, "saved_to", changed.saved_to);
    json.end_object();
}

}  // namespace lepton::protocol
