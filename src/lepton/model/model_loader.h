#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "lepton/core/result.h"
#include "lepton/engine/registry.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/model_config.h"

namespace lepton::model {

// From a model's file to sessions that are compiled and warm. Blocks for as long as that takes; off
// the request path. Thread-safe.
class ModelLoader {
public:
    struct Options {
        int cores = 1;                    // For the computing of all instances of one model.
        std::filesystem::path cache_dir;  // Where compiled models are kept; empty: nowhere.
    };

    // `engines` must outlive the loader and what it loads.
    ModelLoader(engine::EngineRegistry& engines, Options options)
        : engines_(engines), options_(std::move(options)) {}

    // Errors name the file and the reason: kInvalidArgument for a file that is broken or
    // contradicts its configuration, kUnsupported, kInternal.
    Result<std::shared_ptr<LoadedModel>> load(const std::string& name,
                                              std::int64_t version,
                                              const std::filesystem::path& file,
                                              const ModelConfig& config);

private:
    Result<engine::Engine*> choose_engine(const std::filesystem::path& file,
                                          const ModelConfig& config);
    Result<std::unique_ptr<engine::Graph>> open(engine::Engine& engine,
                                                const std::filesystem::path& file,
                                                const ModelConfig& config);

    engine::EngineRegistry& engines_;
    const Options options_;
};

}  // namespace lepton::model
