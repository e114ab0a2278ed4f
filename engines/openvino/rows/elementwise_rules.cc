#include <array>
#include <string_view>

#include "engines/openvino/elementwise_operations.h"
#include "engines/openvino/rows/row_operation.h"

namespace lepton::openvino {
namespace {

std::string elementwise(RowOperation& op) {
    if (op.together().get_autob().m_type == ov::op::AutoBroadcastType::PDPD) {
        return "broadcasts as Paddle does";
    }
    std::optional<RowAxis> axis;
    for (std::size_t i = 0; i < op.input_count(); ++i) {
        if (!op.has_rows(i)) continue;
        const RowAxis found = aligned(op.in(i), op.rank_in(i), op.rank_out(0));
        if (axis.value_or(found) != found) return "joins rows that lie along different axes";
        axis = found;
    }
    if (!axis) return "has no rows";
    for (std::size_t i = 0; i < op.input_count(); ++i) {
        if (op.has_rows(i)) continue;
        const std::int64_t at = axis->at - (op.rank_out(0) - op.rank_in(i));
        if (at >= 0 && op.shape_in(i)[at] != 1) {
            return "has a value of its own for each place in the batch";
        }
    }
    op.give_all(RowValue::rows(*axis));
    return {};
}

// The slope is one number, or one for each channel of axis 1.
std::string prelu(RowOperation& op) {
    if (op.has_rows(1) || !op.has_rows(0)) return "has a slope that depends on the request";
    const bool one_slope = ov::shape_size(op.shape_in(1)) == 1;
    if (!one_slope && op.rank_in(1) != 1) return elementwise(op);
    if (!one_slope && op.in(0).axis.at == 1) return "has a slope of its own for each row";
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

// Input 0 is computed element by element; the other inputs, and attributes, are the same for all
// elements.
std::string first_alone(RowOperation& op) {
    if (!op.has_rows(0) || !op.same_from(1)) return "has parameters that depend on the request";
    for (std::size_t i = 1; i < op.input_count(); ++i) {
        if (ov::shape_size(op.shape_in(i)) != 1) return elementwise(op);
    }
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

// Input 1 only gives the type that the elements of input 0 become.
std::string like_the_second(RowOperation& op) {
    if (!op.has_rows(0)) return "has no rows";
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

// Positions are looked up in a list of boundaries that all rows share.
std::string bucketize(RowOperation& op) {
    if (!op.has_rows(0) || op.has_rows(1)) return "has boundaries that depend on the request";
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

// These are element-wise too, but some may refuse a value.
constexpr std::array kElementwiseThatMayRefuse{"BitwiseAnd",
                                               "BitwiseNot",
                                               "BitwiseOr",
                                               "BitwiseXor",
                                               "BitwiseLeftShift",
                                               "BitwiseRightShift",
                                               "ErfInv",
                                               "Xor",
                                               "ConvertPromoteTypes",
                                               "FakeConvert"};

}  // namespace

void add_elementwise_rules(RowRules& rules) {
    for (const std::string_view type : kElementwise) rules[type] = {elementwise};
    for (const char* type : kElementwiseThatMayRefuse) rules[type] = {elementwise};
    rules["PRelu"] = {prelu};
    for (const char* type : {"HardSigmoid", "Selu", "Swish"}) rules[type] = {first_alone};
    rules["ConvertLike"] = {like_the_second, 0b10};
    rules["Bucketize"] = {bucketize};
}

}  // namespace lepton::openvino
