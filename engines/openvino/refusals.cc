#include "engines/openvino/refusals.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <openvino/op/constant.hpp>

#include "engines/openvino/elementwise_operations.h"

namespace lepton::openvino {
namespace {

// Besides the element-wise ones.
constexpr std::array<std::string_view, 45> kNeverRefuse{
    "Parameter",
    "Constant",
    "Result",
    "ShapeOf",
    "ConvertLike",
    "HardSigmoid",
    "PRelu",
    "Selu",
    "Swish",
    "AvgPool",
    "BatchNormInference",
    "Convolution",
    "ConvolutionBackpropData",
    "GroupConvolution",
    "GroupConvolutionBackpropData",
    "GroupNormalization",
    "LRN",
    "LogSoftmax",
    "MVN",
    "MatMul",
    "MaxPool",
    "NormalizeL2",
    "ScaledDotProductAttention",
    "Softmax",
    "DepthToSpace",
    "SpaceToDepth",
    // Their further inputs say where elements go: if those are constants, they were checked when
    // the shapes were inferred.
    "Broadcast",
    "Concat",
    "Gather",
    "Pad",
    "ReduceL1",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceLogicalOr",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "StridedSlice",
    "Transpose",
    "Unsqueeze",
};

bool never_refuses(std::string_view type) {
    const auto is_type = [type](std::string_view known) { return known == type; };
    return std::any_of(kElementwise.begin(), kElementwise.end(), is_type) ||
           std::any_of(kNeverRefuse.begin(), kNeverRefuse.end(), is_type);
}

}  // namespace

bool has_open_shapes(const ov::Model& model) {
    const ov::NodeVector nodes = model.get_ordered_ops();
    return std::any_of(nodes.begin(), nodes.end(), [](const auto& node) {
        for (std::size_t i = 0; i < node->get_output_size(); ++i) {
            if (node->get_output_partial_shape(i).is_dynamic()) return true;
        }
        return false;
    });
}

bool may_refuse_at_run(const ov::Model& model) {
    const ov::NodeVector nodes = model.get_ordered_ops();
    return has_open_shapes(model) || !std::all_of(nodes.begin(), nodes.end(), [](const auto& node) {
               return never_refuses(node->get_type_name());
           });
}

}  // namespace lepton::openvino
