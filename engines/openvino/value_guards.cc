#include "engines/openvino/value_guards.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <openvino/op/add.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/equal.hpp>
#include <openvino/op/gather.hpp>
#include <openvino/op/greater.hpp>
#include <openvino/op/greater_eq.hpp>
#include <openvino/op/less.hpp>
#include <openvino/op/logical_and.hpp>
#include <openvino/op/logical_or.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/op/range.hpp>
#include <openvino/op/reduce_logical_or.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/result.hpp>
#include <openvino/op/select.hpp>
#include <openvino/op/shape_of.hpp>
#include <openvino/op/util/gather_nd_base.hpp>
#include <openvino/op/util/multi_subgraph_base.hpp>

#include "engines/openvino/failure.h"

namespace lepton::openvino {
namespace {

using Value = ov::Output<ov::Node>;
using std::make_shared;

bool divides(const ov::Node& node) {
    const std::string_view type = node.get_type_name();
    return (type == "Divide" || type == "Mod" || type == "FloorMod") &&
           node.get_input_element_type(1).is_integral();
}

bool is_range(const ov::Node& node) { return node.get_type_name() == std::string_view("Range"); }

bool gathers_by_place(const ov::Node& node) {
    return ov::is_type<ov::op::util::GatherNDBase>(&node);
}

bool folds_columns(const ov::Node& node) {
    return node.get_type_name() == std::string_view("Col2Im");
}

bool is_constant_without_zero(const Value& value) {
    const auto constant = ov::as_type_ptr<ov::op::v0::Constant>(value.get_node_shared_ptr());
    if (constant == nullptr) return false;
    const auto elements = constant->cast_vector<double>();
    return std::find(elements.begin(), elements.end(), 0.0) == elements.end();
}

// Nodes whose values may depend on those of a request; a tensor's shape does not.
std::unordered_set<const ov::Node*> reached_by_values(const ov::Model& model) {
    std::unordered_set<const ov::Node*> reached;
    for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
        if (node->get_type_name() == std::string_view("ShapeOf")) continue;
        bool is_reached = ov::is_type<ov::op::v0::Parameter>(node);
        for (const Value& input : node->input_values()) {
            is_reached = is_reached || reached.contains(input.get_node());
        }
        if (is_reached) reached.insert(node.get());
    }
    return reached;
}

Value constant_like(const Value& value, double number) {
    return ov::op::v0::Constant::create(value.get_element_type(), {}, std::vector<double>{number});
}

// One boolean: whether any element is true.
Value any_of(const Value& booleans) {
    const auto flat = make_shared<ov::op::v1::Reshape>(
        booleans,
        ov::op::v0::Constant::create(ov::element::i64, {1}, std::vector<std::int64_t>{-1}),
        false);
    const auto axis =
        ov::op::v0::Constant::create(ov::element::i64, {1}, std::vector<std::int64_t>{0});
    return make_shared<ov::op::v1::ReduceLogicalOr>(flat, axis, false);
}

Value guard_divisor(ov::Node& node) {
    const Value divisor = node.input_value(1);
    const auto zero = make_shared<ov::op::v1::Equal>(divisor, constant_like(divisor, 0));
    node.input(1).replace_source_output(
        make_shared<ov::op::v1::Select>(zero, constant_like(divisor, 1), divisor));
    return any_of(zero);
}

Value as_type_of(const Value& value, const Value& other) {
    if (value.get_element_type() == other.get_element_type()) return value;
    return make_shared<ov::op::v0::Convert>(value, other.get_element_type());
}

Value guard_range(ov::Node& node) {
    const Value start = node.input_value(0);
    const Value stop = node.input_value(1);
    const Value step = node.input_value(2);
    // Each of the three may have its own type.
    const Value stop_like_start = as_type_of(stop, start);
    const Value zero_step = constant_like(step, 0);
    const auto stands = make_shared<ov::op::v1::Equal>(step, zero_step);
    const auto against = make_shared<ov::op::v1::LogicalOr>(
        make_shared<ov::op::v1::LogicalAnd>(make_shared<ov::op::v1::Greater>(step, zero_step),
                                            make_shared<ov::op::v1::Less>(stop_like_start, start)),
        make_shared<ov::op::v1::LogicalAnd>(
            make_shared<ov::op::v1::Less>(step, zero_step),
            make_shared<ov::op::v1::Greater>(stop_like_start, start)));
    const auto empty = make_shared<ov::op::v1::LogicalOr>(stands, against);
    node.input(1).replace_source_output(
        make_shared<ov::op::v1::Select>(empty, as_type_of(start, stop), stop));
    node.input(2).replace_source_output(
        make_shared<ov::op::v1::Select>(stands, constant_like(step, 1), step));
    return any_of(stands);
}

// Its inputs 1 and 2 are the extents of the image and of a block.
Value guard_extents(ov::Node& node) {
    Value found;
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
        const Value extents = node.input_value(i);
        const auto low = make_shared<ov::op::v1::Less>(extents, constant_like(extents, 1));
        node.input(i).replace_source_output(
            make_shared<ov::op::v1::Select>(low, constant_like(extents, 1), extents));
        const Value any = any_of(low);
        found = i == 1 ? any : make_shared<ov::op::v1::LogicalOr>(found, any)->output(0);
    }
    return found;
}

// Empty where the ranks are not known.
Value guard_places(ov::Node& node) {
    const auto& gather = dynamic_cast<ov::op::util::GatherNDBase&>(node);
    const Value data = node.input_value(0);
    const Value indices = node.input_value(1);
    const ov::PartialShape& shape = indices.get_partial_shape();
    if (shape.rank().is_dynamic()) return {};
    const ov::Dimension& last = shape[shape.rank().get_length() - 1];
    if (last.is_dynamic()) return {};
    std::vector<std::int64_t> axes(static_cast<std::size_t>(last.get_length()));
    std::iota(axes.begin(), axes.end(), static_cast<std::int64_t>(gather.get_batch_dims()));
    const ov::element::Type type = indices.get_element_type();
    const auto extents = make_shared<ov::op::v8::Gather>(
        make_shared<ov::op::v3::ShapeOf>(data, type),
        ov::op::v0::Constant::create(ov::element::i64, {axes.size()}, axes),
        ov::op::v0::Constant::create(ov::element::i64, {}, std::vector<std::int64_t>{0}));
    const auto beyond = make_shared<ov::op::v1::GreaterEqual>(indices, extents);
    const auto before = make_shared<ov::op::v1::Less>(
        make_shared<ov::op::v1::Add>(indices, extents), constant_like(indices, 0));
    const auto outside = make_shared<ov::op::v1::LogicalOr>(beyond, before);
    node.input(1).replace_source_output(
        make_shared<ov::op::v1::Select>(outside, constant_like(indices, 0), indices));
    return any_of(outside);
}

bool is_hazard(const ov::Node& node) {
    if (divides(node)) return !is_constant_without_zero(node.input_value(1));
    return is_range(node) || gathers_by_place(node) || folds_columns(node);
}

// Errors: kUnsupported.
Result<> check_bodies(const ov::Node& node) {
    const auto* const body_of = dynamic_cast<const ov::op::util::MultiSubGraphOp*>(&node);
    if (body_of == nullptr) return {};
    for (std::size_t i = 0; i < body_of->get_internal_subgraphs_size(); ++i) {
        for (const auto& inner : body_of->get_function(i)->get_ordered_ops()) {
            LEPTON_RETURN_IF_ERROR(check_bodies(*inner));
            const bool ends_process =
                (divides(*inner) && !is_constant_without_zero(inner->input_value(1))) ||
                (is_range(*inner) && !is_constant_without_zero(inner->input_value(2))) ||
                gathers_by_place(*inner) || folds_columns(*inner);
            if (!ends_process) continue;
            return fail(ErrorCode::kUnsupported,
                        name_of(*inner) + " in the body of " + name_of(node) +
                            " ends the process for some values, which are not looked at there");
        }
    }
    return {};
}

struct Guard {
    Value flag;
    std::string what;
};

Guard guard(ov::Node& node) {
    if (divides(node)) {
        return {guard_divisor(node), "an integer is divided by zero in " + name_of(node)};
    }
    if (is_range(node)) return {guard_range(node), "the step is zero in " + name_of(node)};
    if (folds_columns(node)) {
        return {guard_extents(node), "an extent is below 1 in " + name_of(node)};
    }
    return {guard_places(node), "an index is beyond the data in " + name_of(node)};
}

}  // namespace

Result<std::vector<std::string>> add_value_guards(ov::Model& model) {
    for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
        LEPTON_RETURN_IF_ERROR(check_bodies(*node));
    }
    return guarded(ErrorCode::kInternal, "the graph cannot be guarded", [&] {
        std::vector<std::string> faults;
        const auto reached = reached_by_values(model);
        for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
            if (!is_hazard(*node) || !reached.contains(node.get())) continue;
            Guard added = guard(*node);
            if (added.flag.get_node() == nullptr) continue;
            model.add_results({make_shared<ov::op::v0::Result>(added.flag)});
            faults.push_back(std::move(added.what));
        }
        if (!faults.empty()) model.validate_nodes_and_infer_types();
        return faults;
    });
}

}  // namespace lepton::openvino
