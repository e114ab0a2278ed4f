#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engines/fake/fake_device.h"
#include "engines/fake/fake_model.h"
#include "lepton/engine/engine.h"

namespace lepton::fake {

// Thread-safe.
class FakeGraph final : public engine::Graph {
public:
    FakeGraph(FakeModel model, std::shared_ptr<FakeDevices> devices)
        : model_(std::make_shared<FakeModel>(std::move(model))), devices_(std::move(devices)) {}

    [[nodiscard]] const std::vector<TensorSpec>& inputs() const override { return model_->inputs; }
    [[nodiscard]] const std::vector<TensorSpec>& outputs() const override {
        return model_->outputs;
    }
    [[nodiscard]] std::string platform() const override { return "fake_json"; }
    // A fake says that its rows are independent, also where they are not.
    Result<> prove_rows(std::span<const Shape>) override { return {}; }
    Result<std::unique_ptr<engine::Session>> make_session(
        const engine::SessionOptions& options) override;

private:
    std::shared_ptr<const FakeModel> model_;
    std::shared_ptr<FakeDevices> devices_;
};

}  // namespace lepton::fake
