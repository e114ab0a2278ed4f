#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "lepton/model/store/model_store.h"

namespace lepton::model {

// The models of one or more folders of this machine, which are served from where they lie.
// Thread-safe.
class DiskStore final : public ModelStore {
public:
    explicit DiskStore(std::vector<std::filesystem::path> roots) : roots_(std::move(roots)) {}

    [[nodiscard]] std::string label() const override;
    Result<std::vector<ModelFolder>> list() override;
    ModelFolder list(const ModelFolder& model) override;
    Result<std::filesystem::path> fetch(const ModelFolder& model,
                                        std::int64_t version,
                                        const std::string& file_name) override;

private:
    const std::vector<std::filesystem::path> roots_;
};

}  // namespace lepton::model
