#include "engines/openvino/model_outputs.h"

#include <algorithm>
#include <memory>

#include <openvino/op/parameter.hpp>
#include <openvino/op/result.hpp>
#include <openvino/op/shape_of.hpp>

namespace lepton::openvino {

std::vector<OutputSource> separate_outputs(ov::Model& model) {
    std::vector<OutputSource> sources;
    std::vector<ov::Output<ov::Node>> computed;
    const ov::ResultVector results = model.get_results();
    ov::ResultVector removed;
    for (const std::shared_ptr<ov::op::v0::Result>& result : results) {
        const ov::Output<ov::Node> tensor = result->input_value(0);
        const auto parameter = ov::as_type_ptr<ov::op::v0::Parameter>(tensor.get_node_shared_ptr());
        if (parameter != nullptr) {
            const auto index = static_cast<std::size_t>(model.get_parameter_index(parameter));
            sources.push_back({OutputSource::Kind::kInput, index});
            removed.push_back(result);
            continue;
        }
        const auto known = std::find(computed.begin(), computed.end(), tensor);
        sources.push_back(
            {OutputSource::Kind::kComputed, static_cast<std::size_t>(known - computed.begin())});
        if (known == computed.end()) {
            computed.push_back(tensor);
        } else {
            removed.push_back(result);
        }
    }
    for (const auto& result : removed) model.remove_result(result);
    if (computed.empty() && !model.get_parameters().empty()) {
        const auto shape = std::make_shared<ov::op::v3::ShapeOf>(model.get_parameters().front());
        model.add_results({std::make_shared<ov::op::v0::Result>(shape)});
    }
    return sources;
}

}  // namespace lepton::openvino
