#include "engines/openvino/repairs.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <openvino/op/broadcast.hpp>
#include <openvino/op/concat.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/einsum.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/shape_of.hpp>
#include <openvino/op/tile.hpp>
#include <openvino/op/unsqueeze.hpp>

namespace lepton::openvino {
namespace {

using Value = ov::Output<ov::Node>;
using std::make_shared;

Value integers(const std::vector<std::int64_t>& values) {
    return ov::op::v0::Constant::create(ov::element::i64, {values.size()}, values);
}

// Turns [a, b] and [c, d] into [a, c, b, d].
Value interleaved(const Value& first, const Value& second) {
    const Value one = make_shared<ov::op::v0::Unsqueeze>(first, integers({1}));
    const Value two = make_shared<ov::op::v0::Unsqueeze>(second, integers({1}));
    const auto pairs = make_shared<ov::op::v0::Concat>(ov::OutputVector{one, two}, 1);
    return make_shared<ov::op::v1::Reshape>(pairs, integers({-1}), false);
}

// [d0, d1] -> [1, d0, 1, d1] -> [r0, d0, r1, d1] -> [r0 * d0, r1 * d1].
void rewrite_tile(ov::Node& tile) {
    const Value data = tile.input_value(0);
    const ov::PartialShape& repeats_shape = tile.get_input_partial_shape(1);
    const ov::Rank rank = data.get_partial_shape().rank();
    if (rank.is_dynamic() || rank.get_length() == 0 || repeats_shape.is_dynamic() ||
        repeats_shape.to_shape() != ov::Shape{static_cast<std::size_t>(rank.get_length())}) {
        return;
    }
    const Value repeats = make_shared<ov::op::v0::Convert>(tile.input_value(1), ov::element::i64);
    const Value extents = make_shared<ov::op::v3::ShapeOf>(data, ov::element::i64);
    const std::vector<std::int64_t> ones(static_cast<std::size_t>(rank.get_length()), 1);
    const auto apart =
        make_shared<ov::op::v1::Reshape>(data, interleaved(integers(ones), extents), false);
    const auto repeated = make_shared<ov::op::v3::Broadcast>(apart, interleaved(repeats, extents));
    const auto whole = make_shared<ov::op::v1::Reshape>(
        repeated, make_shared<ov::op::v1::Multiply>(repeats, extents), false);
    whole->set_friendly_name(tile.get_friendly_name());
    whole->output(0).set_names(tile.output(0).get_names());
    tile.output(0).replace(whole);
}

bool passes_on(const ov::Node& node) {
    const auto* const einsum = ov::as_type<const ov::op::v7::Einsum>(&node);
    if (einsum == nullptr || einsum->get_input_size() != 1) return false;
    const std::string equation = einsum->get_equation();
    const std::size_t arrow = equation.find("->");
    return arrow != std::string::npos && equation.substr(0, arrow) == equation.substr(arrow + 2);
}

}  // namespace

void repair(ov::Model& model) {
    for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
        if (passes_on(*node)) {
            node->output(0).replace(node->input_value(0));
        } else if (ov::is_type<ov::op::v0::Tile>(node) &&
                   !ov::is_type<ov::op::v0::Constant>(node->get_input_node_ptr(1)) &&
                   node->get_output_partial_shape(0).is_dynamic()) {
            rewrite_tile(*node);
        }
    }
    model.validate_nodes_and_infer_types();
}

}  // namespace lepton::openvino
