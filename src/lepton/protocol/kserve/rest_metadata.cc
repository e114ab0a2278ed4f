#include "lepton/protocol/kserve/rest_metadata.h"

#include <array>

#include "lepton/protocol/json/json_writer.h"

namespace lepton::protocol {
namespace {

constexpr std::array<std::string_view, 4> kExtensions = {
    "binary_tensor_data", "model_configuration", "parameters", "schedule_policy"};

void write_list(JsonWriter& json, std::string_view key, const auto& values) {
    json.key(key);
    json.begin_array();
    for (const std::string_view value : values) json.string(value);
    json.end_array();
}

void write_tensors(JsonWriter& json, std::string_view key, const std::vector<TensorSpec>& tensors) {
    json.key(key);
    json.begin_array();
    for (const TensorSpec& tensor : tensors) {
        json.begin_object();
        json.key("name");
        json.string(tensor.name);
        json.key("datatype");
        json.string(to_string(tensor.dtype));
        json.key("shape");
        json.begin_array();
        for (const std::int64_t dim : tensor.shape.dims()) json.number(dim);
        json.end_array();
        json.end_object();
    }
    json.end_array();
}

void write_server(JsonWriter& json, std::string_view server, std::string_view version) {
    json.key("name");
    json.string(server);
    json.key("version");
    json.string(version);
}

}  // namespace

std::span<const std::string_view> protocol_extensions() { return kExtensions; }

void write_overview(std::string_view server,
                    std::string_view version,
                    const std::vector<std::string>& models,
                    const std::vector<std::string>& routes,
                    memory::Buffer& body) {
    JsonWriter json(body);
    json.begin_object();
    write_server(json, server, version);
    write_list(json, "models", models);
    write_list(json, "routes", routes);
    json.end_object();
}

void write_server_metadata(std::string_view server,
                           std::string_view version,
                           memory::Buffer& body) {
    JsonWriter json(body);
    json.begin_object();
    write_server(json, server, version);
    write_list(json, "extensions", kExtensions);
    json.end_object();
}

void write_models(const ModelCatalog& catalog, memory::Buffer& body) {
    JsonWriter json(body);
    json.begin_object();
    json.key("models");
    json.begin_array();
    for (const std::string& model : catalog.models()) {
        json.begin_object();
        json.key("name");
        json.string(model);
        write_list(json, "versions", catalog.versions(model));
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

void write_model_metadata(const ModelSpec& model,
                          const std::vector<std::string>& versions,
                          memory::Buffer& body) {
    JsonWriter json(body);
    json.begin_object();
    json.key("name");
    json.string(model.name);
    write_list(json, "versions", versions);
    json.key("platform");
    json.string(model.platform);
    write_tensors(json, "inputs", model.inputs);
    write_tensors(json, "outputs", model.outputs);
    if (!model.properties.empty()) {
        json.key("parameters");
        json.begin_object();
        for (const auto& [name, value] : model.properties) {
            json.key(name);
            json.string(value);
        }
        json.end_object();
    }
    json.end_object();
}

void write_model_ready(const ModelSpec& model, memory::Buffer& body) {
    JsonWriter json(body);
    json.begin_object();
    json.key("name");
    json.string(model.name);
    json.key("ready");
    json.boolean(true);
    json.end_object();
}

void write_flag(std::string_view name, memory::Buffer& body) {
    JsonWriter json(body);
    json.begin_object();
    json.key(name);
    json.boolean(true);
    json.end_object();
}

}  // namespace lepton::protocol
