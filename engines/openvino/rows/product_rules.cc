#include <algorithm>

#include "engines/openvino/rows/row_operation.h"

// Rules for products of matrices, whose rows are independent along every axis that is not summed
// over.
namespace lepton::openvino {
namespace {

constexpr const char* kAcrossRows = "sums across the rows of a batch";

std::string mat_mul(RowOperation& op) {
    const std::int64_t rank = op.rank_out(0);
    std::optional<RowAxis> axis;
    for (std::size_t i = 0; i < 2; ++i) {
        if (op.rank_in(i) < 2) {
            if (op.has_rows(i)) return kAcrossRows;
            if (op.rank_in(1 - i) != 2 || i == 0) return "has a vector for a matrix";
            continue;
        }
        if (!op.has_rows(i)) continue;
        RowAxis found = op.in(i).axis;
        const std::int64_t from_end = op.rank_in(i) - found.at;  // 1 is the last axis.
        if (from_end <= 2) {
            const bool transposed = op.flag(i == 0 ? "transpose_a" : "transpose_b");
            // The outer axis of the first matrix is the last but one, that of the second is the
            // last.
            const std::int64_t outer = (i == 0) != transposed ? 2 : 1;
            if (from_end != outer) return kAcrossRows;
            if (!op.is_same(1 - i)) return "multiplies rows with rows";
            found.at = op.rank_in(1) < 2 ? rank - 1 : (i == 0 ? rank - 2 : rank - 1);
        } else {
            found.at = rank - from_end;
        }
        if (axis.value_or(found) != found) return "joins rows that lie along different axes";
        axis = found;
    }
    if (!axis) return "has no rows";
    for (std::size_t i = 0; i < 2; ++i) {
        if (op.has_rows(i) || rank - axis->at <= 2) continue;
        const std::int64_t at = axis->at - (rank - op.rank_in(i));
        if (at >= 0 && op.shape_in(i)[at] != 1) {
            return "has a matrix of its own for each place in the batch";
        }
    }
    op.give_all(RowValue::rows(*axis));
    return {};
}

// The label of the rows must be the same in each factor that has rows, absent from the others, and
// in the result.
std::string einsum(RowOperation& op) {
    std::string equation = op.text("equation");
    std::erase(equation, ' ');
    const std::size_t arrow = equation.find("->");
    if (arrow == std::string::npos || equation.find('.') != std::string::npos) {
        return "has an equation without all its labels";
    }
    const std::string result = equation.substr(arrow + 2);
    std::vector<std::string> factors(1);
    for (const char c : equation.substr(0, arrow)) {
        c == ',' ? factors.emplace_back() : factors.back() += c;
    }
    if (factors.size() != op.input_count()) return "has another number of factors than labels";
    std::optional<char> label;
    std::optional<RowAxis> axis;
    for (std::size_t i = 0; i < factors.size(); ++i) {
        if (!op.has_rows(i)) continue;
        const auto at = static_cast<std::size_t>(op.in(i).axis.at);
        if (at >= factors[i].size()) return "has an equation without all its labels";
        if (label.value_or(factors[i][at]) != factors[i][at] ||
            axis.value_or(op.in(i).axis).outer != op.in(i).axis.outer ||
            axis.value_or(op.in(i).axis).inner != op.in(i).axis.inner) {
            return "joins rows that lie along different axes";
        }
        label = factors[i][at];
        axis = op.in(i).axis;
        if (std::count(factors[i].begin(), factors[i].end(), *label) != 1) return kAcrossRows;
    }
    if (!label) return "has no rows";
    for (std::size_t i = 0; i < factors.size(); ++i) {
        if (!op.has_rows(i) && factors[i].find(*label) != std::string::npos) {
            return "has a factor of its own for each place in the batch";
        }
    }
    const std::size_t at = result.find(*label);
    if (at == std::string::npos) return kAcrossRows;
    axis->at = static_cast<std::int64_t>(at);
    op.give_all(RowValue::rows(*axis));
    return {};
}

// The inputs are (query, key, value, mask, scale), with rows along an axis before the last two.
std::string attention(RowOperation& op) {
    const std::int64_t rank = op.rank_out(0);
    std::optional<RowAxis> axis;
    for (std::size_t i = 0; i < op.input_count(); ++i) {
        if (!op.has_rows(i)) continue;
        const RowAxis found = aligned(op.in(i), op.rank_in(i), rank);
        if (rank - found.at <= 2) return kAcrossRows;
        if (axis.value_or(found) != found) return "joins rows that lie along different axes";
        axis = found;
    }
    if (!axis) return "has no rows";
    for (std::size_t i = 0; i < op.input_count(); ++i) {
        if (op.has_rows(i)) continue;
        const std::int64_t at = axis->at - (rank - op.rank_in(i));
        if (at >= 0 && op.shape_in(i)[at] != 1) {
            return "has a value of its own for each place in the batch";
        }
    }
    op.give_all(RowValue::rows(*axis));
    return {};
}

}  // namespace

void add_product_rules(RowRules& rules) {
    rules["MatMul"] = {mat_mul};
    rules["Einsum"] = {einsum};
    rules["ScaledDotProductAttention"] = {attention};
}

}  // namespace lepton::openvino
