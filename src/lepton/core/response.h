#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "lepton/core/error.h"
#include "lepton/core/model_spec.h"
#include "lepton/core/tensor.h"

namespace lepton {

struct OutputTensor {
    std::string_view name;
    TensorView tensor;
};

// Views of the answer, valid inside on_complete only: `outputs` may look into the instance's slot,
// which the next batch overwrites; see InferCall::keep_outputs().
struct Response {
    std::shared_ptr<const ModelSpec> model;  // Which version answered; owns the names.
    std::vector<OutputTensor> outputs;       // In the order in which they were requested.
    std::optional<Error> error;              // Set: nothing else is.
};

}  // namespace lepton
