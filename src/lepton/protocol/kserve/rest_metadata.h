#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/model_catalog.h"
#include "lepton/core/model_spec.h"
#include "lepton/memory/buffer.h"

namespace lepton::protocol {

// Extensions of KServe v2 that this server offers, by the names that Triton gave them.
[[nodiscard]] std::span<const std::string_view> protocol_extensions();

// Bodies of the routes that describe the server. `body` was taken from a pool.
void write_overview(std::string_view server,
                    std::string_view version,
                    const std::vector<std::string>& models,
                    const std::vector<std::string>& routes,
                    memory::Buffer& body);
void write_server_metadata(std::string_view server, std::string_view version, memory::Buffer& body);
// Models with a ready version, and those versions.
void write_models(const ModelCatalog& catalog, memory::Buffer& body);
void write_model_metadata(const ModelSpec& model,
                          const std::vector<std::string>& versions,
                          memory::Buffer& body);
void write_model_ready(const ModelSpec& model, memory::Buffer& body);
// {"<name>":true}
void write_flag(std::string_view name, memory::Buffer& body);

}  // namespace lepton::protocol
