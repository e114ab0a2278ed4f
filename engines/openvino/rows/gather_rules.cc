#include "engines/openvino/rows/row_operation.h"

// Rules for operations that pick elements by index. An index says nothing about rows unless it
// picks within an axis that is not theirs.
namespace lepton::openvino {
namespace {

constexpr const char* kAcrossRows = "picks across the rows of a batch";
constexpr const char* kUnknownAxis = "picks along an axis that is not fixed";

// The shape of Gather(data, indices, axis) is data[:axis] + indices[batch_dims:] + data[axis + 1:].
std::string gather(RowOperation& op) {
    const auto axes = op.axes(2, op.rank_in(0));
    if (!axes || axes->size() != 1) return kUnknownAxis;
    const std::int64_t axis = axes->front();
    std::int64_t batch_dims = op.integer("batch_dims").value_or(0);
    if (batch_dims < 0) batch_dims += op.rank_in(1);
    RowAxis rows;
    if (op.has_rows(0) && op.has_rows(1)) {
        if (op.in(0).axis != op.in(1).axis || op.in(0).axis.at >= batch_dims) return kAcrossRows;
        rows = op.in(0).axis;
    } else if (op.has_rows(0)) {
        rows = op.in(0).axis;
        if (rows.at == axis) return kAcrossRows;
        if (rows.at < batch_dims) return "has indices of its own for each place in the batch";
        if (rows.at > axis) rows.at += op.rank_in(1) - batch_dims - 1;
    } else {
        rows = op.in(1).axis;
        if (rows.at < batch_dims) return "has data of its own for each place in the batch";
        rows.at += axis - batch_dims;
    }
    op.give_all(RowValue::rows(rows));
    return {};
}

// The tensors of GatherElements(data, indices) and ScatterElementsUpdate(data, indices, updates,
// axis) all have one rank, and an index moves along the axis alone.
std::string elements_along(RowOperation& op, std::optional<std::int64_t> axis) {
    if (!axis) return kUnknownAxis;
    const std::size_t tensors = op.type() == "GatherElements" ? 2 : 3;
    for (std::size_t i = 0; i < tensors; ++i) {
        if (!op.has_rows(i) || op.in(i).axis != op.in(0).axis) {
            return "joins rows with what is not of them";
        }
    }
    if (*axis == op.in(0).axis.at) return kAcrossRows;
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

std::string gather_elements(RowOperation& op) { return elements_along(op, op.axis(op.rank_in(0))); }

std::string scatter_elements(RowOperation& op) {
    const auto axes = op.axes(3, op.rank_in(0));
    if (!axes || axes->size() != 1) return kUnknownAxis;
    return elements_along(op, axes->front());
}

// In GatherND(data, indices) the last axis of the indices is a position in data[batch_dims:].
std::string gather_nd(RowOperation& op) {
    const std::int64_t batch_dims = op.integer("batch_dims").value_or(0);
    if (op.has_rows(0)) {
        const bool of_rows = op.has_rows(1) && op.in(0).axis == op.in(1).axis;
        if (!of_rows || op.in(0).axis.at >= batch_dims) return kAcrossRows;
        // An older operation set merges several batch axes into one.
        if (batch_dims > 1 && op.rank_out(0) < op.rank_in(1) - 1) return kAcrossRows;
    } else if (op.in(1).axis.at < batch_dims) {
        return "has data of its own for each place in the batch";
    }
    if (op.in(1).axis.at >= op.rank_in(1) - 1) return kAcrossRows;
    op.give_all(RowValue::rows(op.in(1).axis));
    return {};
}

// ScatterUpdate(data, indices, updates, axis) sets data[.., indices, ..] = updates.
std::string scatter_update(RowOperation& op) {
    const auto axes = op.axes(3, op.rank_in(0));
    if (!axes || axes->size() != 1) return kUnknownAxis;
    if (!op.has_rows(0) || op.has_rows(1)) return kAcrossRows;
    const RowAxis rows = op.in(0).axis;
    if (rows.at == axes->front()) return kAcrossRows;
    // Where the rows lie in updates: data[:axis] + indices + data[axis + 1:].
    RowAxis updates = rows;
    if (rows.at > axes->front()) updates.at += op.rank_in(1) - 1;
    if (!op.has_rows(2) || op.in(2).axis != updates) return "joins rows with what is not of them";
    op.give_all(RowValue::rows(rows));
    return {};
}

}  // namespace

void add_gather_rules(RowRules& rules) {
    rules["Gather"] = {gather};
    rules["GatherElements"] = {gather_elements};
    rules["GatherND"] = {gather_nd};
    rules["ScatterElementsUpdate"] = {scatter_elements};
    rules["ScatterUpdate"] = {scatter_update};
}

}  // namespace lepton::openvino
