#pragma once

#include <string>
#include <vector>

#include "lepton/core/model_catalog.h"
#include "lepton/core/model_control.h"
#include "lepton/core/result.h"

namespace inference {
class ModelConfig;
class ModelMetadataResponse;
class ServerMetadataResponse;
}  // namespace inference

namespace lepton::protocol {

void fill_server_metadata(const std::string& server,
                          const std::string& version,
                          inference::ServerMetadataResponse& response);

void fill_model_metadata(const ModelSpec& model,
                         const std::vector<std::string>& versions,
                         inference::ModelMetadataResponse& response);

void fill_model_config(const ModelConfiguration& now, inference::ModelConfig& config);

}  // namespace lepton::protocol
