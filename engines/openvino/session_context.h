#pragma once

#include <memory>
#include <vector>

#include "engines/openvino/graph.h"
#include "engines/openvino/string_tensor.h"
#include "lepton/core/model_spec.h"
#include "lepton/engine/engine.h"

namespace lepton::openvino {

// What both kinds of session are made from.
struct SessionContext {
    std::weak_ptr<const Source> source;
    std::shared_ptr<const Plan> plan;
    engine::SessionOptions options;
    bool batches = false;  // Axis 0 of every tensor counts rows.
    StringContent strings = StringContent::kBytes;
    const std::vector<TensorSpec>& inputs;
    const std::vector<TensorSpec>& outputs;
};

}  // namespace lepton::openvino
