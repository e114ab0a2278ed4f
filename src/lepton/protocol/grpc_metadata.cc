#include "lepton/protocol/grpc_metadata.h"

#include <inference.pb.h>

#include "lepton/protocol/rest_metadata.h"

namespace lepton::protocol {
namespace {

void fill_tensor(const TensorSpec& spec, inference::ModelMetadataResponse::TensorMetadata& tensor) {
    tensor.set_name(spec.name);
    tensor.set_datatype(std::string(to_string(spec.dtype)));
    tensor.mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
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

}  // namespace lepton::protocol
