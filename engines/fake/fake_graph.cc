#include "engines/fake/fake_graph.h"

#include <algorithm>

#include "engines/fake/device_session.h"
#include "engines/fake/fake_session.h"

namespace lepton::fake {

Result<std::unique_ptr<engine::Session>> FakeGraph::make_session(
    const engine::SessionOptions& options) {
    if (options.precision != engine::Precision::kF32) {
        return fail(ErrorCode::kUnsupported,
                    "precision " + std::string(to_string(options.precision)) +
                        " is not offered by the fake engine");
    }
    const auto batches = [](const TensorSpec& spec) {
        return !spec.shape.empty() && spec.shape[0] < 0;
    };
    const bool all = std::all_of(model_->inputs.begin(), model_->inputs.end(), batches) &&
                     std::all_of(model_->outputs.begin(), model_->outputs.end(), batches);
    const bool by_rows = options.batches && all;
    if (options.device == Device{}) return std::make_unique<FakeSession>(model_, by_rows);
    return std::make_unique<DeviceSession>(model_, by_rows, devices_->get(options.device));
}

}  // namespace lepton::fake
