#include "lepton/model/loading/narrowed_tensors.h"

namespace lepton::model {

std::string narrowed_tensors(const ModelSpec& spec) {
    std::string list;
    for (const auto* tensors : {&spec.inputs, &spec.outputs}) {
        for (const TensorSpec& tensor : *tensors) {
            if (!tensor.computed_as) continue;
            if (!list.empty()) list += ", ";
            list.append(tensor.name).append(" ").append(to_string(tensor.dtype));
            list.append(" as ").append(to_string(*tensor.computed_as));
        }
    }
    return list;
}

}  // namespace lepton::model
