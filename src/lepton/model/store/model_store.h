#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/model/store/repository_layout.h"

namespace lepton::model {

// Where models come from: folders of a disk, or what lays its models out as such folders once it
// has brought them here. Blocks for as long as reading takes; off the request path. Thread-safe.
class ModelStore {
public:
    virtual ~ModelStore() = default;

    // For the log, "roots=2".
    [[nodiscard]] virtual std::string label() const = 0;

    // All models with their versions, sorted by name. What describes a model (its config.pbtxt, the
    // files of its warm-up) lies in its folder from here on; the versions may be empty folders
    // until they are fetched. Errors: kInvalidArgument for a store that cannot be used.
    virtual Result<std::vector<ModelFolder>> list() = 0;

    // One of them again, as it is at present. Without versions where it is gone.
    virtual ModelFolder list(const ModelFolder& model) = 0;

    // Has the files of one version on this machine's disk, and returns the one to open, or the
    // folder of a SavedModel: model.<extension>, or `file_name` where that is not empty. Errors:
    // kInvalidArgument where there is none, or more than one.
    virtual Result<std::filesystem::path> fetch(const ModelFolder& model,
                                                std::int64_t version,
                                                const std::string& file_name) = 0;
};

}  // namespace lepton::model
