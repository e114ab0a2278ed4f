#pragma once

#include <filesystem>
#include <string_view>

#include <openvino/runtime/core.hpp>

#include "lepton/core/result.h"

namespace lepton::openvino {

// Whether this message of a failed read says that the model has operations of OpenVINO Tokenizers,
// such as those that split text into tokens. The IR calls all operations from outside OpenVINO
// "extension", and these are the only ones that the server has a source for.
[[nodiscard]] bool asks_for_tokenizers(std::string_view openvino_message);

// Whether the model has such operations. Their regular expressions are run by PCRE2's compiled code
// without a check of the text, which reads beyond what is not UTF-8 and ends the process (seen with
// 2026.4.1.0): text for them must be checked before.
[[nodiscard]] bool has_tokenizers(const ov::Model& model);

// Where pip puts the library: OpenVINO and OpenVINO Tokenizers are folders beside each other.
[[nodiscard]] std::filesystem::path tokenizers_path();

// Makes the operations of the library at `path` known to `core`. It is loaded for the first model
// that needs it and stays loaded. Thread-safe; a core that has them is left as it is. Errors:
// kUnavailable, with what to install, when there is no such library or it is of another release.
Result<> add_tokenizers(ov::Core& core, const std::filesystem::path& path);

}  // namespace lepton::openvino
