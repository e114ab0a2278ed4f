#pragma once

#include "lepton/engine/engine.h"

namespace lepton::openvino {

// Runs models with OpenVINO on the CPU: ONNX, OpenVINO IR, TensorFlow frozen graphs and
// SavedModels, TensorFlow Lite and Paddle, read as they are. All engines of a process share one
// ov::Core, made on first use. Thread-safe.
class OpenVinoEngine final : public engine::Engine {
public:
    [[nodiscard]] std::string_view name() const override { return "openvino"; }
    [[nodiscard]] std::string version() const override;
    [[nodiscard]] bool reads(const std::filesystem::path& path) const override;
    Result<std::unique_ptr<engine::Graph>> open(const std::filesystem::path& path,
                                                const engine::OpenOptions& options) override;
};

}  // namespace lepton::openvino
