#include "engines/openvino/rows/row_proof.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <unordered_map>
#include <utility>

#include <openvino/op/constant.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/op/result.hpp>

#include "engines/openvino/failure.h"
#include "engines/openvino/rows/row_operation.h"

namespace lepton::openvino {
namespace {

// Tensors that shapes are computed from have few elements.
constexpr std::size_t kFewElements = 4096;

bool is_static(const ov::Node& node) {
    for (std::size_t i = 0; i < node.get_input_size(); ++i) {
        if (node.get_input_partial_shape(i).is_dynamic()) return false;
    }
    for (std::size_t i = 0; i < node.get_output_size(); ++i) {
        if (node.get_output_partial_shape(i).is_dynamic()) return false;
    }
    return true;
}

bool is_one_of(std::string_view type, std::initializer_list<std::string_view> types) {
    return std::find(types.begin(), types.end(), type) != types.end();
}

// Two runs of these on equal inputs may differ.
bool keeps_state_or_draws(std::string_view type) {
    return is_one_of(type,
                     {"RandomUniform", "RandomPoisson", "Multinomial", "ReadValue", "Assign"});
}

bool has_body(std::string_view type) {
    return is_one_of(type, {"If", "Loop", "TensorIterator", "Scan"});
}

bool same_bytes(const ov::Tensor& one, const ov::Tensor& other) {
    return one.get_byte_size() == other.get_byte_size() &&
           std::memcmp(one.data(), other.data(), one.get_byte_size()) == 0;
}

// An integer division by zero ends the process, wherever it happens.
bool may_divide_by_zero(const ov::Node& node, const std::vector<ov::Tensor>& inputs) {
    if (!is_one_of(node.get_type_name(), {"Divide", "FloorMod", "Mod", "Range"})) return false;
    if (!inputs.back().get_element_type().is_integral()) return false;
    const auto divisors = ov::op::v0::Constant(inputs.back()).cast_vector<std::int64_t>();
    return std::find(divisors.begin(), divisors.end(), 0) != divisors.end();
}

// Returns the outputs of an operation whose inputs are all known; none where they cannot be
// computed.
std::vector<ov::Tensor> evaluated(const ov::Node& node, const std::vector<ov::Tensor>& inputs) {
    if (node.get_type_name() == std::string_view("ShapeOf")) {
        const ov::Shape& shape = node.get_input_shape(0);
        ov::Tensor extents(node.get_output_element_type(0), ov::Shape{shape.size()});
        for (std::size_t i = 0; i < shape.size(); ++i) {
            if (extents.get_element_type() == ov::element::i32) {
                extents.data<std::int32_t>()[i] = static_cast<std::int32_t>(extent_of(shape, i));
            } else {
                extents.data<std::int64_t>()[i] = static_cast<std::int64_t>(extent_of(shape, i));
            }
        }
        return {extents};
    }
    if (inputs.empty() || !node.has_evaluate() || may_divide_by_zero(node, inputs)) return {};
    ov::TensorVector outputs;
    for (std::size_t i = 0; i < node.get_output_size(); ++i) {
        if (ov::shape_size(node.get_output_shape(i)) > kFewElements) return {};
        outputs.emplace_back(node.get_output_element_type(i), node.get_output_shape(i));
    }
    try {
        if (!node.evaluate(outputs, inputs)) return {};
    } catch (const std::exception&) {
        return {};
    }
    return outputs;
}

// Whether the batch's elements are, along one axis, those of the run alone, repeated.
std::optional<RowAxis> repeated(const ov::Tensor& alone,
                                const ov::Tensor& together,
                                std::int64_t rows) {
    const ov::Shape& one = alone.get_shape();
    const ov::Shape& many = together.get_shape();
    if (one.size() != many.size() || one.empty()) return std::nullopt;
    std::optional<std::size_t> axis;
    for (std::size_t i = 0; i < one.size(); ++i) {
        const std::size_t extent = extent_of(one, i);
        if (extent == extent_of(many, i)) continue;
        if (axis || extent_of(many, i) != extent * static_cast<std::size_t>(rows)) {
            return std::nullopt;
        }
        axis = i;
    }
    if (!axis) return std::nullopt;
    std::size_t blocks = 1;
    for (std::size_t i = 0; i < *axis; ++i) blocks *= extent_of(one, i);
    if (blocks == 0) return std::nullopt;
    const std::size_t bytes = alone.get_byte_size() / blocks;
    const auto* const row = static_cast<const char*>(alone.data());
    const auto* const all = static_cast<const char*>(together.data());
    for (std::size_t block = 0; block < blocks; ++block) {
        for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
            const std::size_t at = (block * static_cast<std::size_t>(rows) + r) * bytes;
            if (std::memcmp(all + at, row + block * bytes, bytes) != 0) return std::nullopt;
        }
    }
    RowAxis found;
    found.at = static_cast<std::int64_t>(*axis);
    found.inner = static_cast<std::int64_t>(extent_of(one, *axis));
    return found;
}

RowValue known_value(ov::Tensor alone, ov::Tensor together, std::int64_t rows) {
    RowValue value;
    value.kind = RowValue::Kind::kCount;
    if (alone.get_shape() == together.get_shape() && same_bytes(alone, together)) {
        value.kind = RowValue::Kind::kSame;
    } else if (const auto axis = repeated(alone, together, rows)) {
        value.kind = RowValue::Kind::kRows;
        value.axis = *axis;
    }
    value.alone = std::move(alone);
    value.together = std::move(together);
    return value;
}

// Whether the shapes of both runs agree with the value.
bool fits(const RowValue& value,
          const ov::Shape& alone,
          const ov::Shape& together,
          std::int64_t rows) {
    if (value.kind == RowValue::Kind::kSame) return alone == together;
    if (value.kind != RowValue::Kind::kRows) return true;
    const auto at = static_cast<std::size_t>(value.axis.at);
    if (alone.size() != together.size() || at >= together.size()) return false;
    for (std::size_t i = 0; i < together.size(); ++i) {
        if (i != at && extent_of(alone, i) != extent_of(together, i)) return false;
    }
    const auto extent = static_cast<std::int64_t>(extent_of(together, at));
    return extent == static_cast<std::int64_t>(extent_of(alone, at)) * rows &&
           extent == value.axis.outer * value.axis.inner * rows;
}

class Walk {
public:
    explicit Walk(std::int64_t rows) : rows_(rows) {}

    std::vector<RowValue> follow(ov::Model& alone,
                                 ov::Model& together,
                                 const std::vector<RowValue>& parameters) {
        const ov::NodeVector one = alone.get_ordered_ops();
        const ov::NodeVector many = together.get_ordered_ops();
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            values_[together.get_parameters()[i].get()] = {parameters[i]};
        }
        for (std::size_t i = 0; i < many.size(); ++i) {
            const bool same_node = i < one.size() && one.size() == many.size() &&
                                   one[i]->get_type_info() == many[i]->get_type_info();
            if (!same_node) {
                return std::vector<RowValue>(
                    together.get_results().size(),
                    RowValue::mixed("the model's operations depend on the number of rows"));
            }
            if (!values_.contains(many[i].get())) visit(*one[i], *many[i]);
        }
        std::vector<RowValue> results;
        for (const auto& result : together.get_results()) {
            results.push_back(values_.at(result.get()).front());
        }
        return results;
    }

private:
    void visit(ov::Node& alone, ov::Node& together) {
        std::vector<RowValue>& outputs = values_[&together];
        outputs = outputs_of(alone, together);
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (outputs[i].kind == RowValue::Kind::kMixed) continue;
            if (!fits(outputs[i], alone.get_output_shape(i), together.get_output_shape(i), rows_)) {
                outputs[i] = RowValue::mixed(name_of(together) +
                                             " has a shape that does not follow from its rows");
            }
        }
    }

    std::vector<RowValue> outputs_of(ov::Node& alone, ov::Node& together) {
        const std::string_view type = together.get_type_name();
        const auto all = [&](const RowValue& value) {
            return std::vector<RowValue>(std::max<std::size_t>(1, together.get_output_size()),
                                         value);
        };
        if (keeps_state_or_draws(type)) {
            return all(RowValue::mixed(name_of(together) + " keeps state, or draws at random"));
        }
        if (ov::is_type<ov::op::v0::Parameter>(&together)) return all(RowValue::same());
        if (const auto* constant = ov::as_type<ov::op::v0::Constant>(&together)) {
            RowValue value = RowValue::same();
            if (ov::shape_size(constant->get_shape()) <= kFewElements) {
                value.alone = value.together = constant->get_tensor_view();
            }
            return all(value);
        }
        std::vector<RowValue> inputs;
        for (std::size_t i = 0; i < together.get_input_size(); ++i) {
            const ov::Output<ov::Node> source = together.input_value(i);
            inputs.push_back(values_.at(source.get_node())[source.get_index()]);
        }
        if (ov::is_type<ov::op::v0::Result>(&together)) return all(inputs.front());
        const bool shape_of = type == "ShapeOf" && is_static(alone) && is_static(together);
        for (const RowValue& input : inputs) {
            if (input.kind == RowValue::Kind::kMixed && !shape_of) {
                return all(RowValue::mixed(input.reason));
            }
        }
        if (!is_static(alone) || !is_static(together)) {
            return all(RowValue::mixed(name_of(together) +
                                       " has a shape that depends on the values of a request"));
        }
        if (auto known = evaluate(alone, together, inputs); !known.empty()) return known;
        const auto is_same = [](const RowValue& value) {
            return value.kind == RowValue::Kind::kSame;
        };
        if (std::all_of(inputs.begin(), inputs.end(), is_same) && !has_body(type)) {
            return all(RowValue::same());
        }
        return by_rule(alone, together, std::move(inputs));
    }

    // Evaluates an operation whose inputs depend only on shapes.
    std::vector<RowValue> evaluate(const ov::Node& alone,
                                   const ov::Node& together,
                                   const std::vector<RowValue>& inputs) const {
        const bool shape_of = together.get_type_name() == std::string_view("ShapeOf");
        std::vector<ov::Tensor> one;
        std::vector<ov::Tensor> many;
        for (const RowValue& input : inputs) {
            if (shape_of) break;
            if (!input.known()) return {};
            one.push_back(input.alone);
            many.push_back(input.together);
        }
        const std::vector<ov::Tensor> alone_outputs = evaluated(alone, one);
        const std::vector<ov::Tensor> together_outputs = evaluated(together, many);
        if (alone_outputs.size() != together_outputs.size()) return {};
        std::vector<RowValue> outputs;
        outputs.reserve(alone_outputs.size());
        for (std::size_t i = 0; i < alone_outputs.size(); ++i) {
            outputs.push_back(known_value(alone_outputs[i], together_outputs[i], rows_));
        }
        return outputs;
    }

    std::vector<RowValue> by_rule(ov::Node& alone,
                                  ov::Node& together,
                                  std::vector<RowValue> inputs) {
        const auto all = [&](const std::string& why) {
            return std::vector<RowValue>(together.get_output_size(),
                                         RowValue::mixed(name_of(together) + " " + why));
        };
        const RowRuleEntry* const entry = find_row_rule(together.get_type_name());
        if (entry == nullptr) return all("is not known to keep rows apart");
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const bool layout = i < 32 && (entry->layout_inputs >> i & 1U) != 0;
            if (inputs[i].kind == RowValue::Kind::kCount && !layout) {
                return all("computes with the number of rows");
            }
        }
        RowOperation op(alone, together, rows_, std::move(inputs));
        if (const std::string why = entry->rule(op); !why.empty()) return all(why);
        return std::move(op.outputs());
    }

    std::int64_t rows_;
    std::unordered_map<const ov::Node*, std::vector<RowValue>> values_;
};

}  // namespace

std::vector<RowValue> follow_rows(ov::Model& alone,
                                  ov::Model& together,
                                  const std::vector<RowValue>& parameters,
                                  std::int64_t rows) {
    return Walk(rows).follow(alone, together, parameters);
}

std::string find_row_dependence(ov::Model& alone,
                                ov::Model& together,
                                std::size_t inputs,
                                std::int64_t rows) {
    if (!together.get_sinks().empty()) return "the model keeps state between its runs";
    const std::vector<RowValue> parameters(inputs, RowValue::rows({}));
    const std::vector<RowValue> results = follow_rows(alone, together, parameters, rows);
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (results[i].kind == RowValue::Kind::kMixed) return results[i].reason;
        if (results[i].kind != RowValue::Kind::kRows || results[i].axis != RowAxis{}) {
            return "output " + std::to_string(i) + " does not have one row for each row of input";
        }
    }
    return {};
}

}  // namespace lepton::openvino
