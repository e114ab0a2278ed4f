#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::model {

struct VersionFolder {
    std::int64_t number = 0;
    std::filesystem::path path;
};

// One model of a repository, as its folder has it; nothing was opened.
//
//     root/name/config.pbtxt            optional
//     root/name/1/model.onnx
//     root/name/2/model.savedmodel/     a folder, for TensorFlow
struct ModelFolder {
    std::string name;  // The folder's.
    std::filesystem::path path;
    std::vector<VersionFolder>
        versions;  // Ascending; names that are no positive integers are none.

    [[nodiscard]] std::filesystem::path config_file() const { return path / "config.pbtxt"; }
};

// Models of all roots, sorted by name. A root is a repository, or the folder of one model: one that
// holds version folders or a config.pbtxt itself. Hidden folders and plain files are passed over.
// Errors: kInvalidArgument for a root that is no folder, or a name that two roots hold.
Result<std::vector<ModelFolder>> scan_roots(std::span<const std::filesystem::path> roots);

// The folder of one model; empty versions when there are none.
[[nodiscard]] ModelFolder scan_model(const std::filesystem::path& folder);

// What to open in a version's folder: the one entry that is called model.<extension>, or
// `file_name` where that is not empty. Weights and parameters beside a model, such as model.bin, do
// not count. Errors: kInvalidArgument when there is none, or more than one.
Result<std::filesystem::path> find_model_file(const std::filesystem::path& version_folder,
                                              const std::string& file_name);

// When it was written last; the earliest time there is for what cannot be read.
[[nodiscard]] std::filesystem::file_time_type written(const std::filesystem::path& path);

}  // namespace lepton::model
