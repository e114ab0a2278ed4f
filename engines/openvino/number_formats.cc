#include "engines/openvino/number_formats.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_set>

#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/op/result.hpp>
#include <openvino/op/util/multi_subgraph_base.hpp>
#include <openvino/op/util/shape_of_base.hpp>

namespace lepton::openvino {
namespace {

std::optional<DataType> narrower(const ov::element::Type& type) {
    switch (type) {
        case ov::element::Type_t::i64:
        case ov::element::Type_t::u64:
        case ov::element::Type_t::u32:
            return DataType::kInt32;
        case ov::element::Type_t::f64:
            return DataType::kFp32;
        default:
            return std::nullopt;
    }
}

bool takes_all_bits(const ov::Node& reader, const ov::element::Type& type) {
    if (ov::is_type<ov::op::v0::Result>(&reader)) return true;
    if (ov::is_type<ov::op::util::ShapeOfBase>(&reader)) return true;
    if (!ov::is_type<ov::op::v0::Convert>(&reader)) return false;
    // Integers are converted from their own type: to float, and not through INT32. FP64 is
    // converted through FP32, whose largest value exceeds every FP16 value, so that too large
    // values become infinite there.
    const ov::element::Type to = reader.get_output_element_type(0);
    return type.is_integral() ? to.is_real() : to == ov::element::f16;
}

using Target = ov::Input<ov::Node>;

// Whether the operation only moves this operand's elements, without computing with them.
bool only_moves(const Target& target) {
    constexpr std::array<std::string_view, 9> kAnyOperand = {"Broadcast",
                                                             "Concat",
                                                             "Convert",
                                                             "Gather",
                                                             "Reshape",
                                                             "Select",
                                                             "Squeeze",
                                                             "Transpose",
                                                             "Unsqueeze"};
    constexpr std::array<std::string_view, 2> kFirstOperand = {"Slice", "StridedSlice"};
    const std::string_view type = target.get_node()->get_type_info().name;
    const auto among = [type](const auto& names) {
        return std::find(names.begin(), names.end(), type) != names.end();
    };
    return among(kAnyOperand) || (among(kFirstOperand) && target.get_index() == 0);
}

// Whether it makes no difference for this operand that the plug-in limits its values, or whether
// the plug-in takes it as it is.
bool takes_any_value(const Target& target) {
    const ov::Node& node = *target.get_node();
    const std::string_view type = node.get_type_info().name;
    const std::size_t index = target.get_index();
    if (type == "Slice" || type == "StridedSlice") return index > 0;
    if (type == "Loop") return index == 0;  // The number of iterations.
    if (type == "Convert") return node.get_output_element_type(0).is_real();
    return type == "Minimum" || type == "Maximum" || type == "ShapeOf";
}

// Returns where a value goes next: out of an operation that only moves it, or into the bodies of
// one that has some. Nothing where it is computed with, or is an answer.
std::optional<ov::OutputVector> ways_on(const Target& target) {
    if (only_moves(target)) return target.get_node()->outputs();
    const auto* parent = ov::as_type<ov::op::util::MultiSubGraphOp>(target.get_node());
    if (parent == nullptr) return std::nullopt;
    ov::OutputVector ways;
    for (int i = 0; i < static_cast<int>(parent->get_internal_subgraphs_size()); ++i) {
        for (const auto& into : parent->get_input_descriptions(i)) {
            if (into->m_input_index != target.get_index()) continue;
            const auto& parameters =
                parent->get_function(static_cast<std::size_t>(i))->get_parameters();
            ways.push_back(parameters[into->m_body_parameter_index]->output(0));
        }
    }
    return ways;
}

// Returns the operation that computes with the value of `output`, or gives it as an answer, if
// there is one.
const ov::Node* user_of(const ov::Output<ov::Node>& output,
                        std::unordered_set<const ov::Node*>& seen) {
    for (const Target& target : output.get_target_inputs()) {
        if (takes_any_value(target)) continue;
        const std::optional<ov::OutputVector> ways = ways_on(target);
        if (!ways) return target.get_node();
        for (const ov::Output<ov::Node>& way : *ways) {
            if (!seen.insert(way.get_node()).second) continue;
            if (const ov::Node* const found = user_of(way, seen)) return found;
        }
    }
    return nullptr;
}

template <class Element>
bool fits(Element value) {
    if constexpr (std::is_signed_v<Element>) {
        return value >= std::numeric_limits<std::int32_t>::min() &&
               value <= std::numeric_limits<std::int32_t>::max();
    } else {
        return value <= Element{std::numeric_limits<std::int32_t>::max()};
    }
}

template <class Element>
std::optional<std::string> first_too_large(const ov::op::v0::Constant& constant) {
    // Constants of a mapped file lie where the file has them, aligned or not.
    const auto* const bytes = static_cast<const std::byte*>(constant.get_data_ptr());
    const std::size_t elements = ov::shape_size(constant.get_shape());
    for (std::size_t i = 0; i < elements; ++i) {
        Element value{};
        std::memcpy(&value, bytes + i * sizeof(Element), sizeof(Element));
        if (!fits(value)) return std::to_string(value);
    }
    return std::nullopt;
}

std::optional<std::string> first_too_large(const ov::op::v0::Constant& constant) {
    switch (constant.get_element_type()) {
        case ov::element::Type_t::i64:
            return first_too_large<std::int64_t>(constant);
        case ov::element::Type_t::u64:
            return first_too_large<std::uint64_t>(constant);
        case ov::element::Type_t::u32:
            return first_too_large<std::uint32_t>(constant);
        default:
            return std::nullopt;
    }
}

Result<> check_constant(ov::op::v0::Constant& constant) {
    const std::optional<std::string> value = first_too_large(constant);
    if (!value) return {};
    std::unordered_set<const ov::Node*> seen;
    const ov::Node* const user = user_of(constant.output(0), seen);
    if (user == nullptr) return {};
    return fail(
        ErrorCode::kUnsupported,
        "operation \"" + user->get_friendly_name() + "\" (" + user->get_type_info().name +
            ") takes the constant " + *value +
            ", which OpenVINO's CPU device does not hold: it computes in INT32, -2147483648 "
            "to 2147483647");
}

}  // namespace

std::optional<DataType> held_in(const ov::Output<const ov::Node>& input) {
    const ov::element::Type type = input.get_element_type();
    const auto readers = input.get_target_inputs();
    const bool all_bits = std::all_of(readers.begin(), readers.end(), [&](const auto& reader) {
        return takes_all_bits(*reader.get_node(), type);
    });
    return all_bits ? std::nullopt : narrower(type);
}

std::optional<DataType> computed_in(const ov::Output<const ov::Node>& output) {
    const bool handed_through =
        ov::is_type<ov::op::v0::Parameter>(output.get_node()->get_input_node_ptr(0));
    return handed_through ? std::nullopt : narrower(output.get_element_type());
}

Result<> check_constants(const ov::Model& model) {
    for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
        if (auto* constant = ov::as_type<ov::op::v0::Constant>(node.get())) {
            LEPTON_RETURN_IF_ERROR(check_constant(*constant));
        } else if (const auto* parent =
                       ov::as_type<const ov::op::util::MultiSubGraphOp>(node.get())) {
            for (const std::shared_ptr<ov::Model>& body : parent->get_functions()) {
                LEPTON_RETURN_IF_ERROR(check_constants(*body));
            }
        }
    }
    return {};
}

}  // namespace lepton::openvino
