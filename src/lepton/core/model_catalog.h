#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"

namespace lepton {

// What the server holds, for the routes that describe it. Thread-safe.
class ModelCatalog {
public:
    virtual ~ModelCatalog() = default;

    // Whether the models that were to be loaded at start serve, until draining begins. Errors:
    // kUnavailable, with the models that it waits for, or that failed and why.
    [[nodiscard]] virtual Result<> ready() const = 0;

    // An empty version means the latest ready one. Errors: kModelNotFound, naming what is there;
    // kUnavailable while it is loading, or with the reason for which it failed to load.
    [[nodiscard]] virtual Result<std::shared_ptr<const ModelSpec>> find(
        std::string_view name, std::string_view version) const = 0;

    // Ready versions of a model, ascending.
    [[nodiscard]] virtual std::vector<std::string> versions(std::string_view name) const = 0;

    // Names of all models that have a ready version, sorted.
    [[nodiscard]] virtual std::vector<std::string> models() const = 0;
};

}  // namespace lepton
