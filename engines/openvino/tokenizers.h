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

// Whether the model has such operations. PCRE2's compiled code runs their regular expressions
// without a check of the text; on text that is not UTF-8 it reads out of bounds and ends the
// process (seen with 2026.4.1.0), so that text for them must be checked before.
[[nodiscard]] bool has_tokenizers(const ov::Model& model);

// Where pip puts the library: OpenVINO and OpenVINO Tokenizers are folders side by side.
[[nodiscard]] std::filesystem::path tokenizers_path();

// Adds the operations of the library at `path` to `core`. The library is loaded for the first model
// that needs it and stays loaded. Thread-safe; a core that has the operations is left as it is.
// Errors: kUnavailable, with what to install, when the library is missing or of another release.
Result<> add_tokenizers(ov::Core& core, const std::filesystem::path& path);

}  // namespace lepton::openvino
