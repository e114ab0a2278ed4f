#include <algorithm>

#include "engines/openvino/rows/row_operation.h"

// Rules for operations that work along some axes of their first input and keep the others apart.
namespace lepton::openvino {
namespace {

bool contains(const std::vector<std::int64_t>& axes, std::int64_t axis) {
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

constexpr const char* kAcrossRows = "works across the rows of a batch";
constexpr const char* kUnknownAxes = "works along axes that are not fixed";
constexpr const char* kParameters = "has parameters that depend on the request";

std::string keep(RowOperation& op) {
    op.give_all(RowValue::rows(op.in(0).axis));
    return {};
}

// For operations that work along attribute "axis".
std::string along_axis(RowOperation& op) {
    if (!op.has_rows(0) || !op.same_from(1)) return kParameters;
    const std::optional<std::int64_t> axis = op.axis(op.rank_in(0));
    if (!axis) return kUnknownAxes;
    return *axis == op.in(0).axis.at ? kAcrossRows : keep(op);
}

// For operations that work along the axes that input 1 lists; without it, in older operation sets,
// along all.
std::string along_listed(RowOperation& op) {
    if (!op.has_rows(0) || !op.same_from(1)) return kParameters;
    const auto axes = op.axes(1, op.rank_in(0));
    if (!axes) return kUnknownAxes;
    return contains(*axes, op.in(0).axis.at) ? kAcrossRows : keep(op);
}

std::string reduction(RowOperation& op) {
    if (!op.has_rows(0) || !op.same_from(1)) return kParameters;
    const auto axes = op.axes(1, op.rank_in(0));
    if (!axes) return kUnknownAxes;
    RowAxis axis = op.in(0).axis;
    if (contains(*axes, axis.at)) return kAcrossRows;
    if (!op.flag("keep_dims")) {
        axis.at -= std::count_if(
            axes->begin(), axes->end(), [&](std::int64_t one) { return one < axis.at; });
    }
    op.give_all(RowValue::rows(axis));
    return {};
}

// For spatial operations: axis 0 is the batch, and whatever else they are given is the same for
// all.
std::string batch_first(RowOperation& op) {
    if (!op.has_rows(0) || !op.same_from(1)) return kParameters;
    return op.in(0).axis.at == 0 ? keep(op) : kAcrossRows;
}

// The second output holds positions within everything after attribute "axis".
std::string max_pool(RowOperation& op) {
    if (std::string why = batch_first(op); !why.empty()) return why;
    if (op.outputs().size() > 1 && op.integer("axis").value_or(0) <= 0) {
        op.give(1, RowValue::mixed("MaxPool counts places across the rows of a batch"));
    }
    return {};
}

// All inputs that have rows have them along axis 0; the others are weights.
std::string batch_first_of_all(RowOperation& op) {
    bool any = false;
    for (std::size_t i = 0; i < op.input_count(); ++i) {
        if (!op.has_rows(i)) continue;
        if (op.in(i).axis.at != 0) return kAcrossRows;
        if (any && op.in(i).axis != op.in(0).axis) return kAcrossRows;
        any = true;
    }
    return op.has_rows(0) ? keep(op) : kParameters;
}

std::string top_k(RowOperation& op) {
    if (op.integers(1) != op.integers_alone(1)) return "takes as many as there are rows";
    return along_axis(op);
}

std::string roll(RowOperation& op) {
    const auto axes = op.axes(2, op.rank_in(0));
    if (!op.has_rows(0) || !op.same_from(1)) return kParameters;
    if (!axes) return kUnknownAxes;
    return contains(*axes, op.in(0).axis.at) ? kAcrossRows : keep(op);
}

std::string reverse(RowOperation& op) {
    if (op.text("mode") == "mask") return "is given a mask of axes";
    return along_listed(op);
}

// The inputs are [rows, ...] and lengths [rows].
std::string reverse_sequence(RowOperation& op) {
    if (!op.has_rows(0)) return kParameters;
    const RowAxis axis = op.in(0).axis;
    std::int64_t batch = op.integer("batch_axis").value_or(0);
    std::int64_t seq = op.integer("seq_axis").value_or(1);
    if (batch < 0) batch += op.rank_in(0);
    if (seq < 0) seq += op.rank_in(0);
    if (seq == axis.at) return kAcrossRows;
    if (batch == axis.at) {
        const bool lengths_of_rows = op.has_rows(1) && op.in(1).axis.at == 0 &&
                                     op.in(1).axis.outer == axis.outer &&
                                     op.in(1).axis.inner == axis.inner;
        if (!lengths_of_rows) return "has lengths that do not belong to its rows";
    } else if (!op.is_same(1)) {
        return kParameters;
    }
    return keep(op);
}

// The axes of a Fourier transform. Of a complex input, -1 is the last but one, since the real and
// imaginary parts are not counted; of a real input it is the last.
std::string fourier(RowOperation& op) {
    if (!op.has_rows(0) || !op.same_from(1)) return kParameters;
    const bool complex_input = op.type() != "RDFT";
    const auto axes = op.axes(1, op.rank_in(0) - (complex_input ? 1 : 0));
    if (!axes) return kUnknownAxes;
    return contains(*axes, op.in(0).axis.at) ? kAcrossRows : keep(op);
}

std::string one_hot(RowOperation& op) {
    if (!op.has_rows(0) || !op.same_from(1)) return kParameters;
    std::int64_t axis = op.integer("axis").value_or(-1);
    if (axis < 0) axis += op.rank_out(0);
    RowAxis rows = op.in(0).axis;
    if (axis <= rows.at) ++rows.at;
    op.give_all(RowValue::rows(rows));
    return {};
}

// Whether that element of a float input is 1 in both runs.
bool is_one(const RowValue& value, std::size_t element) {
    const auto one = [element](const ov::Tensor& tensor) {
        return tensor && tensor.get_element_type() == ov::element::f32 &&
               element < tensor.get_size() &&
               static_cast<const float*>(tensor.data())[element] == 1;
    };
    return one(value.alone) && one(value.together);
}

// Whether the scale of axis 0 is 1. The inputs are (data, sizes, scales, axes) in the older
// operation set and (data, sizes or scales, axes) in the newer; without axes there is a scale for
// each axis.
bool scales_rows_by_one(const RowOperation& op) {
    const bool older = op.together().get_type_info().version_id == std::string_view("opset4");
    const std::size_t scales = older ? 2 : 1;
    if (!op.has_input(scales + 1)) return is_one(op.in(scales), 0);
    const auto axes = op.axes(scales + 1, op.rank_in(0));
    if (!axes) return false;
    const auto found = std::find(axes->begin(), axes->end(), 0);
    return found == axes->end() ||
           is_one(op.in(scales), static_cast<std::size_t>(found - axes->begin()));
}

// An axis whose extent stays is left as it is, unless a scale near 1 is rounded to that extent.
std::string interpolate(RowOperation& op) {
    if (!op.has_rows(0) || op.in(0).axis.at != 0) return kAcrossRows;
    if (op.shape_in(0)[0] != op.shape_out(0)[0]) return kAcrossRows;
    if (op.text("shape_calculation_mode") == "scales" && !scales_rows_by_one(op)) {
        return "scales the axis of the rows";
    }
    for (const char* pads : {"pads_begin", "pads_end"}) {
        const auto list = op.integer_list(pads).value_or(std::vector<std::int64_t>{});
        if (!list.empty() && list.front() != 0) return kAcrossRows;
    }
    return keep(op);
}

}  // namespace

void add_axis_rules(RowRules& rules) {
    for (const char* type : {"Softmax", "LogSoftmax"}) rules[type] = {along_axis};
    for (const char* type : {"MVN", "NormalizeL2", "LRN"}) rules[type] = {along_listed};
    for (const char* type : {"ReduceSum",
                             "ReduceMean",
                             "ReduceMax",
                             "ReduceMin",
                             "ReduceProd",
                             "ReduceL1",
                             "ReduceL2",
                             "ReduceLogicalAnd",
                             "ReduceLogicalOr"}) {
        rules[type] = {reduction};
    }
    for (const char* type : {"Convolution",
                             "GroupConvolution",
                             "ConvolutionBackpropData",
                             "GroupConvolutionBackpropData",
                             "BinaryConvolution",
                             "AvgPool",
                             "AdaptiveAvgPool",
                             "BatchNormInference",
                             "GroupNormalization",
                             "GRN",
                             "SpaceToDepth",
                             "DepthToSpace",
                             "ReorgYolo",
                             "ExtractImagePatches",
                             "STFT"}) {
        rules[type] = {batch_first,
                       type == std::string_view("ConvolutionBackpropData") ||
                               type == std::string_view("GroupConvolutionBackpropData")
                           ? 0b100U
                           : 0U};
    }
    rules["MaxPool"] = {max_pool};
    for (const char* type : {"GridSample", "DeformableConvolution"}) {
        rules[type] = {batch_first_of_all};
    }
    for (const char* type :
         {"LSTMCell", "GRUCell", "RNNCell", "LSTMSequence", "GRUSequence", "RNNSequence"}) {
        rules[type] = {batch_first_of_all};
    }
    rules["TopK"] = {top_k, 0b10};
    rules["CumSum"] = {along_listed};
    rules["Reverse"] = {reverse};
    rules["ReverseSequence"] = {reverse_sequence};
    rules["Roll"] = {roll};
    for (const char* type : {"DFT", "IDFT", "RDFT", "IRDFT"}) rules[type] = {fourier};
    rules["OneHot"] = {one_hot};
    rules["Interpolate"] = {interpolate, 0b1110};
    rules["ShuffleChannels"] = {along_axis};
}

}  // namespace lepton::openvino
