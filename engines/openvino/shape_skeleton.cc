#include "engines/openvino/shape_skeleton.h"

#include <utility>

#include <openvino/op/constant.hpp>
#include <openvino/op/parameter.hpp>

#include "engines/openvino/failure.h"

namespace lepton::openvino {
namespace {

// Tensors that shapes are computed from are small: extents, axes, bounds of slices, tables of
// positions.
constexpr std::size_t kSmallElements = 1024;

}  // namespace

Result<std::shared_ptr<ov::Model>> make_shape_skeleton(const ov::Model& model) {
    return guarded(ErrorCode::kInternal, "the model cannot be copied", [&] {
        std::shared_ptr<ov::Model> skeleton = model.clone();
        ov::ParameterVector weights;
        for (const std::shared_ptr<ov::Node>& node : skeleton->get_ordered_ops()) {
            if (!ov::is_type<ov::op::v0::Constant>(node)) continue;
            if (ov::shape_size(node->get_output_shape(0)) <= kSmallElements) continue;
            const auto weight = std::make_shared<ov::op::v0::Parameter>(
                node->get_output_element_type(0), node->get_output_partial_shape(0));
            weight->set_friendly_name(node->get_friendly_name());
            node->output(0).replace(weight->output(0));
            weights.push_back(weight);
        }
        skeleton->add_parameters(weights);
        return skeleton;
    });
}

Result<> infer_shapes(ov::Model& model, std::span<const ov::PartialShape> inputs) {
    return guarded(ErrorCode::kInvalidArgument, "its shapes do not fit", [&] {
        const ov::ParameterVector& parameters = model.get_parameters();
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            parameters[i]->set_partial_shape(inputs[i]);
        }
        model.validate_nodes_and_infer_types();
    });
}

ov::PartialShape to_partial_shape(const Shape& shape) {
    ov::PartialShape dims;
    for (const std::int64_t dim : shape) dims.push_back(dim < 0 ? ov::Dimension() : dim);
    return dims;
}

}  // namespace lepton::openvino
