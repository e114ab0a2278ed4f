#include "lepton/protocol/kserve/grpc_metadata.h"

#include <algorithm>
#include <limits>

#include <inference.pb.h>

#include "lepton/protocol/admin/model_config_page.h"
#include "lepton/protocol/kserve/rest_metadata.h"

namespace lepton::protocol {
namespace {

void fill_tensor(const TensorSpec& spec, inference::ModelMetadataResponse::TensorMetadata& tensor) {
    tensor.set_name(spec.name);
    tensor.set_datatype(std::string(to_string(spec.dtype)));
    tensor.mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
}

void fill_queue_policy(const QueuePolicyConfiguration& policy,
                       inference::ModelConfig::QueuePolicy& queue) {
    if (policy.delays) queue.set_timeout_action(inference::ModelConfig::QueuePolicy::DELAY);
    queue.set_default_timeout_microseconds(static_cast<std::uint64_t>(policy.timeout_us));
    queue.set_allow_timeout_override(policy.allows_override);
    queue.set_max_queue_size(static_cast<std::uint32_t>(policy.max_queue_size));
}

void fill_batching(const ModelConfiguration& now,
                   inference::ModelConfig::DynamicBatching& batching) {
    for (const std::int64_t size : now.preferred_batch_sizes) {
        batching.add_preferred_batch_size(static_cast<std::int32_t>(size));
    }
    batching.set_max_queue_delay_microseconds(static_cast<std::uint64_t>(now.max_queue_delay_us));
    fill_queue_policy(now.queue_policy, *batching.mutable_default_queue_policy());
    if (now.priority_levels > 0) {
        batching.set_priority_levels(now.priority_levels);
        batching.set_default_priority_level(now.default_priority_level);
    }
    for (const auto& [level, policy] : now.priority_queue_policies) {
        fill_queue_policy(policy, (*batching.mutable_priority_queue_policy())[level]);
    }
}

void fill_warm_up(const WarmUpSample& sample, inference::ModelConfig::Warmup& warm_up) {
    warm_up.set_name(sample.name);
    warm_up.set_batch_size(static_cast<std::uint32_t>(sample.batch_size));
    warm_up.set_count(static_cast<std::uint32_t>(sample.count));
    for (const WarmUpSample::Input& input : sample.inputs) {
        auto& declared = (*warm_up.mutable_inputs())[input.name];
        declared.set_data_type(config_type_number(input.dtype));
        for (const std::int64_t dim : input.dims) declared.add_dims(dim);
        switch (input.content) {
            case WarmUpSample::Content::kZero:
                declared.set_zero_data(true);
                break;
            case WarmUpSample::Content::kRandom:
                declared.set_random_data(true);
                break;
            case WarmUpSample::Content::kFile:
                declared.set_input_data_file(input.file);
                break;
        }
    }
}

}  // namespace

void fill_server_metadata(const std::string& server,
                          const std::string& version,
                          inference::ServerMetadataResponse& response) {
    response.set_name(server);
    response.set_version(version);
    for (const std::string_view extension : protocol_extensions()) {
        // The binary tensor extension is one of HTTP: gRPC's tensors are binary by nature.
        if (extension != "binary_tensor_data") response.add_extensions(std::string(extension));
    }
}

void fill_model_metadata(const ModelSpec& model,
                         const std::vector<std::string>& versions,
                         inference::ModelMetadataResponse& response) {
    response.set_name(model.name);
    response.mutable_versions()->Add(versions.begin(), versions.end());
    response.set_platform(model.platform);
    for (const TensorSpec& input : model.inputs) fill_tensor(input, *response.add_inputs());
    for (const TensorSpec& output : model.outputs) fill_tensor(output, *response.add_outputs());
    for (const auto& [name, value] : model.properties) {
        (*response.mutable_parameters())[name].set_string_param(value);
    }
}

void fill_model_config(const ModelConfiguration& now, inference::ModelConfig& config) {
    config.set_name(now.spec->name);
    config.set_platform(now.spec->platform);
    config.set_backend(now.backend);
    config.set_max_batch_size(static_cast<std::int32_t>(now.max_batch_size));
    config.set_default_model_filename(now.file_name);
    if (now.latest_versions == std::numeric_limits<std::int64_t>::max()) {
        config.mutable_version_policy()->mutable_all();
    } else if (now.latest_versions > 0) {
        constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
        config.mutable_version_policy()->mutable_latest()->set_num_versions(
            static_cast<std::uint32_t>(std::min(now.latest_versions, kMost)));
    } else {
        auto& versions = *config.mutable_version_policy()->mutable_specific()->mutable_versions();
        versions.Add(now.specific_versions.begin(), now.specific_versions.end());
    }
    const auto fill = [&now](const TensorSpec& tensor, auto& entry) {
        entry.set_name(tensor.name);
        entry.set_data_type(config_type_number(tensor.dtype));
        const Shape dims = config_dims(now, tensor.shape);
        for (const std::int64_t dim : dims.dims()) entry.add_dims(dim);
    };
    for (const TensorSpec& input : now.spec->inputs) fill(input, *config.add_input());
    for (const TensorSpec& output : now.spec->outputs) fill(output, *config.add_output());
    auto& group = *config.add_instance_group();
    constexpr int kKindCpu = 2;
    group.set_name(now.spec->name);
    group.set_count(static_cast<std::int32_t>(now.instances));
    group.set_kind(kKindCpu);
    if (tells_batching(now)) fill_batching(now, *config.mutable_dynamic_batching());
    for (const WarmUpSample& sample : now.warm_up) fill_warm_up(sample, *config.add_model_warmup());
    for_each_parameter(now, [&config](std::string_view name, const std::string& value) {
        (*config.mutable_parameters())[std::string(name)].set_string_value(value);
    });
}

}  // namespace lepton::protocol
