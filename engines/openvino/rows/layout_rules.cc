#include <algorithm>
#include <numeric>
#include <utility>

#include <openvino/op/broadcast.hpp>

#include "engines/openvino/rows/row_operation.h"

// Rules for operations that move or repeat elements, and compute nothing.
namespace lepton::openvino {
namespace {

constexpr const char* kAcrossRows = "moves elements across the rows of a batch";
constexpr const char* kUnknownLayout = "has a layout that is not fixed";

std::int64_t product(const ov::Shape& shape, std::size_t first, std::size_t last) {
    return std::accumulate(
        shape.begin() + static_cast<std::ptrdiff_t>(first),
        shape.begin() + static_cast<std::ptrdiff_t>(last),
        std::int64_t{1},
        [](std::int64_t all, std::size_t one) { return all * static_cast<std::int64_t>(one); });
}

// The elements stay in their order, in which `before` blocks hold one part for each row. The output
// has rows along the axis whose extent covers such parts, if their borders are borders of the axis
// too.
std::string regroup(RowOperation& op) {
    if (!op.has_rows(0)) return "has no rows";
    const RowAxis& from = op.in(0).axis;
    const auto at = static_cast<std::size_t>(from.at);
    const std::int64_t rows = op.row_count();
    const std::int64_t before = product(op.shape_in(0), 0, at) * from.outer;
    const ov::Shape& shape = op.shape_out(0);
    if (before == 0) return "has no elements";
    std::int64_t over = 1;  // The product of the extents before the axis.
    for (std::size_t k = 0; k < shape.size(); ++k) {
        const auto extent = static_cast<std::int64_t>(extent_of(shape, k));
        if (over > 0 && before % over == 0 && extent > 0 &&
            (over * extent) % (before * rows) == 0) {
            RowAxis to;
            to.at = static_cast<std::int64_t>(k);
            to.outer = before / over;
            to.inner = extent / (to.outer * rows);
            op.give_all(RowValue::rows(to));
            return {};
        }
        over *= extent;
    }
    return kAcrossRows;
}

std::string transpose(RowOperation& op) {
    if (!op.has_rows(0)) return kUnknownLayout;
    auto order = op.axes(1, op.rank_in(0));
    if (!order) return kUnknownLayout;
    if (order->empty()) {
        order->resize(op.shape_in(0).size());
        std::iota(order->rbegin(), order->rend(), 0);
    }
    RowAxis axis = op.in(0).axis;
    axis.at = std::find(order->begin(), order->end(), axis.at) - order->begin();
    op.give_all(RowValue::rows(axis));
    return {};
}

std::string concat(RowOperation& op) {
    const std::optional<std::int64_t> along = op.axis(op.rank_out(0));
    std::optional<RowAxis> axis;
    for (std::size_t i = 0; i < op.input_count(); ++i) {
        if (!op.has_rows(i)) return "joins rows with what is not of them";
        if (axis.value_or(op.in(i).axis) != op.in(i).axis) {
            return "joins rows that lie along different axes";
        }
        axis = op.in(i).axis;
    }
    if (!along || !axis || *along == axis->at) return kAcrossRows;
    op.give_all(RowValue::rows(*axis));
    return {};
}

// Splits along the axis that input 1 names.
std::string split(RowOperation& op) {
    if (!op.has_rows(0) || !op.same_from(1)) return kUnknownLayout;
    const auto axes = op.axes(1, op.rank_in(0));
    if (!axes || axes->size() != 1) return kUnknownLayout;
    if (axes->front() == op.in(0).axis.at) return kAcrossRows;
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

// Where a slice starts and stops, one entry for each of its axes, in the run of all rows and in
// that of one.
struct Bounds {
    std::vector<std::int64_t> start;
    std::vector<std::int64_t> stop;
    std::vector<std::int64_t> start_alone;
    std::vector<std::int64_t> stop_alone;

    [[nodiscard]] bool same_start(std::size_t i) const { return start[i] == start_alone[i]; }
    [[nodiscard]] bool same_stop(std::size_t i) const { return stop[i] == stop_alone[i]; }
};

// Reads the bounds from inputs 1 and 2.
std::optional<Bounds> read_bounds(const RowOperation& op) {
    auto start = op.integers(1);
    auto stop = op.integers(2);
    auto start_alone = op.integers_alone(1);
    auto stop_alone = op.integers_alone(2);
    if (!start || !stop || !start_alone || !stop_alone) return std::nullopt;
    const std::size_t count = start->size();
    if (stop->size() != count || start_alone->size() != count || stop_alone->size() != count) {
        return std::nullopt;
    }
    return Bounds{
        *std::move(start), *std::move(stop), *std::move(start_alone), *std::move(stop_alone)};
}

// The bounds of one axis must be the same in both runs, unless it is the axis of the rows, which
// must be taken whole and in order.
std::string check_bounds(const RowOperation& op,
                         std::size_t axis,
                         std::size_t out_axis,
                         std::int64_t start,
                         std::int64_t step,
                         bool same) {
    if (static_cast<std::int64_t>(axis) != op.in(0).axis.at) {
        return same ? std::string() : "takes a part that the number of rows decides";
    }
    const bool whole =
        step == 1 && start == 0 &&
        extent_of(op.shape_in(0), axis) == extent_of(op.shape_out(0), out_axis) &&
        extent_of(op.shape_in_alone(0), axis) == extent_of(op.shape_out_alone(0), out_axis);
    return whole ? std::string() : kAcrossRows;
}

// Takes Slice(data, start, stop, step, axes).
std::string slice(RowOperation& op) {
    if (!op.has_rows(0)) return kUnknownLayout;
    const auto bounds = read_bounds(op);
    const auto step = op.integers(3);
    if (!bounds || !step || step->size() != bounds->start.size()) return kUnknownLayout;
    if (step != op.integers_alone(3)) return kUnknownLayout;
    std::vector<std::int64_t> axes(bounds->start.size());
    std::iota(axes.begin(), axes.end(), 0);
    if (op.has_input(4)) {
        const auto named = op.axes(4, op.rank_in(0));
        if (!named || named->size() != axes.size()) return kUnknownLayout;
        axes = *named;
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const auto axis = static_cast<std::size_t>(axes[i]);
        const bool same = bounds->same_start(i) && bounds->same_stop(i);
        if (std::string why = check_bounds(op, axis, axis, bounds->start[i], step->at(i), same);
            !why.empty()) {
            return why;
        }
    }
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

// Takes StridedSlice(data, begin, end, strides), with masks that say which bounds do not count, and
// where axes of extent 1 are added and removed.
std::string strided_slice(RowOperation& op) {
    if (!op.has_rows(0)) return kUnknownLayout;
    const auto bounds = read_bounds(op);
    if (!bounds) return kUnknownLayout;
    const std::size_t entries = bounds->start.size();
    std::vector<std::int64_t> strides(entries, 1);
    if (op.has_input(3)) {
        const auto given = op.fixed_integers(3);
        if (!given) return kUnknownLayout;
        strides = *given;
    }
    if (strides.size() != entries) return kUnknownLayout;
    const auto mask = [&](const char* name, std::size_t i) {
        const auto list = op.integer_list(name).value_or(std::vector<std::int64_t>{});
        return i < list.size() && list[i] != 0;
    };
    RowAxis axis = op.in(0).axis;
    std::size_t in_axis = 0;
    std::size_t out_axis = 0;
    std::optional<std::size_t> found;
    const auto pass = [&](std::size_t axes) {  // Passes axes that are taken whole.
        for (; axes > 0; --axes, ++in_axis, ++out_axis) {
            if (static_cast<std::int64_t>(in_axis) == axis.at) found = out_axis;
        }
    };
    std::size_t named = 0;  // Axes of the input that the entries after an ellipsis stand for.
    for (std::size_t i = 0; i < entries; ++i) {
        if (mask("ellipsis_mask", i)) {
            for (std::size_t j = i + 1; j < entries; ++j) {
                if (!mask("new_axis_mask", j)) ++named;
            }
            const std::size_t rank = op.shape_in(0).size();
            if (in_axis + named > rank) return kUnknownLayout;
            pass(rank - in_axis - named);
            continue;
        }
        if (mask("new_axis_mask", i)) {
            ++out_axis;
            continue;
        }
        if (in_axis >= op.shape_in(0).size()) return kUnknownLayout;
        const bool is_rows = static_cast<std::int64_t>(in_axis) == axis.at;
        const bool from_start = mask("begin_mask", i);
        const bool to_end = mask("end_mask", i);
        if (mask("shrink_axis_mask", i)) {
            if (is_rows) return kAcrossRows;
            if (!bounds->same_start(i)) return "takes a part that the number of rows decides";
            ++in_axis;
            continue;
        }
        const bool same = (from_start || bounds->same_start(i)) && (to_end || bounds->same_stop(i));
        const std::int64_t start = from_start ? 0 : bounds->start[i];
        if (std::string why = check_bounds(op, in_axis, out_axis, start, strides[i], same);
            !why.empty()) {
            return why;
        }
        pass(1);
    }
    if (in_axis <= op.shape_in(0).size()) pass(op.shape_in(0).size() - in_axis);
    if (!found) return kUnknownLayout;
    axis.at = static_cast<std::int64_t>(*found);
    op.give_all(RowValue::rows(axis));
    return {};
}

// Returns the one axis where the extents of the two runs differ by a factor of `row_count`.
std::optional<std::size_t> axis_of_rows(const RowOperation& op) {
    const ov::Shape& together = op.shape_out(0);
    const ov::Shape& alone = op.shape_out_alone(0);
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < together.size(); ++i) {
        const std::size_t extent = extent_of(together, i);
        if (extent == extent_of(alone, i)) continue;
        const auto rows = static_cast<std::size_t>(op.row_count());
        if (found || extent != extent_of(alone, i) * rows) return {};
        found = i;
    }
    return found;
}

// A tensor is repeated along new axes, or along those of extent 1: if only the number of
// repetitions differs, each row gets the same.
std::string repeat_for_rows(RowOperation& op) {
    const std::optional<std::size_t> axis = axis_of_rows(op);
    if (!axis) return "has a shape that the number of rows decides";
    RowAxis rows;
    rows.at = static_cast<std::int64_t>(*axis);
    rows.inner = static_cast<std::int64_t>(extent_of(op.shape_out_alone(0), *axis));
    op.give_all(RowValue::rows(rows));
    return {};
}

// Where axis i of what is broadcast lies in the output: aligned at the end, or as a list says.
std::optional<std::vector<std::int64_t>> broadcast_axes(const RowOperation& op) {
    const ov::Node* const node = &op.together();
    bool at_the_end = false;
    bool listed = false;
    if (const auto* newer = ov::as_type<const ov::op::v3::Broadcast>(node)) {
        const ov::op::BroadcastType type = newer->get_broadcast_spec().m_type;
        at_the_end =
            type == ov::op::BroadcastType::NUMPY || type == ov::op::BroadcastType::BIDIRECTIONAL;
        listed = type == ov::op::BroadcastType::EXPLICIT;
    } else if (const auto* older = ov::as_type<const ov::op::v1::Broadcast>(node)) {
        const ov::op::AutoBroadcastType type = older->get_broadcast_spec().m_type;
        at_the_end = type == ov::op::AutoBroadcastType::NUMPY;
        listed = type == ov::op::AutoBroadcastType::EXPLICIT;
    }
    if (listed) return op.axes(2, op.rank_out(0));
    if (!at_the_end || op.rank_in(0) > op.rank_out(0)) return std::nullopt;
    std::vector<std::int64_t> axes(op.shape_in(0).size());
    std::iota(axes.begin(), axes.end(), op.rank_out(0) - op.rank_in(0));
    return axes;
}

std::string broadcast(RowOperation& op) {
    const auto axes = broadcast_axes(op);
    if (!axes || axes->size() != op.shape_in(0).size()) return kUnknownLayout;
    if (op.has_rows(0)) {
        RowAxis axis = op.in(0).axis;
        axis.at = axes->at(static_cast<std::size_t>(axis.at));
        op.give_all(RowValue::rows(axis));
        return {};
    }
    if (op.shape_out(0) == op.shape_out_alone(0)) {
        op.give_all(RowValue::same());
        return {};
    }
    const std::optional<std::size_t> axis = axis_of_rows(op);
    for (std::size_t i = 0; axis && i < axes->size(); ++i) {
        if (axes->at(i) == static_cast<std::int64_t>(*axis) && extent_of(op.shape_in(0), i) != 1) {
            return kAcrossRows;
        }
    }
    return repeat_for_rows(op);
}

std::string tile(RowOperation& op) {
    if (!op.has_rows(0)) {
        return op.shape_out(0) == op.shape_out_alone(0) ? "has no rows" : repeat_for_rows(op);
    }
    const RowAxis axis = aligned(op.in(0), op.rank_in(0), op.rank_out(0));
    const auto at = static_cast<std::size_t>(axis.at);
    if (extent_of(op.shape_out(0), at) !=
        extent_of(op.shape_in(0), static_cast<std::size_t>(op.in(0).axis.at))) {
        return kAcrossRows;
    }
    op.give_all(RowValue::rows(axis));
    return {};
}

// Takes Pad(data, pads_begin, pads_end, value).
std::string pad(RowOperation& op) {
    if (!op.has_rows(0)) return kUnknownLayout;
    const auto begin = op.fixed_integers(1);
    const auto end = op.fixed_integers(2);
    const auto at = static_cast<std::size_t>(op.in(0).axis.at);
    if (!begin || !end || begin->size() <= at || end->size() <= at) return kUnknownLayout;
    if ((*begin)[at] != 0 || (*end)[at] != 0) return kAcrossRows;
    if (!op.is_same(3)) return "pads with a value of the request";
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

}  // namespace

void add_layout_rules(RowRules& rules) {
    for (const char* type : {"Reshape", "Squeeze", "Unsqueeze"}) rules[type] = {regroup, 0b10};
    rules["Transpose"] = {transpose};
    rules["Concat"] = {concat};
    rules["Split"] = {split};
    rules["VariadicSplit"] = {split};
    rules["Slice"] = {slice, 0b11110};
    rules["StridedSlice"] = {strided_slice, 0b1110};
    rules["Broadcast"] = {broadcast, 0b110};
    rules["Tile"] = {tile, 0b10};
    rules["Pad"] = {pad, 0b110};
}

}  // namespace lepton::openvino
