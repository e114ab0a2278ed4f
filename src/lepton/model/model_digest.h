#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "lepton/core/result.h"

namespace lepton::model {

// Tells models apart by the content of their files: all below the folder of `file`, so that weights
// beside a model count. Two models of the same digest are the same for all but an adversary. 32
// hexadecimal digits. Errors: kInvalidArgument for files that cannot be read.
Result<std::string> digest_of_model(const std::filesystem::path& file);

[[nodiscard]] std::string digest_of(std::string_view text);

}  // namespace lepton::model
