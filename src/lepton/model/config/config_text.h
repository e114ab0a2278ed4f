#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::config {
class ModelConfig;
}

namespace lepton::model {

// Reads what a config.pbtxt says into the message of what Lepton acts on: protobuf text, or JSON as
// GET /v2/models/NAME/config answers it.
//
// Adds a warning for each field of Triton's that has no effect here, with `source` and the place.
// Errors: kInvalidArgument naming line and field for what is no field of Triton's, a value that
// does not suit its field, fields without which answers would be wrong, and text nested without
// end.
Result<> read_config_text(std::string_view text,
                          const std::string& source,
                          config::ModelConfig& config,
                          std::vector<std::string>& warnings);

}  // namespace lepton::model
