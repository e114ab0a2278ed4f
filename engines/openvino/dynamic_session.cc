#include "engines/openvino/dynamic_session.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "engines/openvino/element_type.h"
#include "engines/openvino/failure.h"
#include "engines/openvino/string_tensor.h"

namespace lepton::openvino {
namespace {

ov::Shape to_dims(const Shape& shape) {
    ov::Shape dims;
    for (const std::int64_t dim : shape) dims.push_back(static_cast<std::size_t>(dim));
    return dims;
}

bool are_shapes_of(std::span<const TensorView> tensors, const std::vector<Shape>& shapes) {
    return std::equal(
        tensors.begin(),
        tensors.end(),
        shapes.begin(),
        shapes.end(),
        [](const TensorView& tensor, const Shape& shape) { return tensor.shape == shape; });
}

std::vector<Shape> shapes_of(std::span<const TensorView> tensors) {
    std::vector<Shape> shapes;
    for (const TensorView& tensor : tensors) shapes.push_back(tensor.shape);
    return shapes;
}

// No tensor is larger than this.
constexpr std::size_t kMostBytes = std::numeric_limits<std::ptrdiff_t>::max();

// The minimum size of a tensor: an open extent counts as its minimum, a string as its length
// prefix. Larger than kMostBytes if it overflows.
std::size_t least_bytes(const ov::PartialShape& shape, DataType dtype) {
    std::size_t bytes = dtype == DataType::kBytes ? sizeof(std::uint32_t) : element_bytes(dtype);
    if (shape.rank().is_dynamic()) return 0;
    bool overflows = false;
    for (const ov::Dimension& dim : shape) {
        const auto extent =
            static_cast<std::size_t>(std::max<std::int64_t>(0, dim.get_min_length()));
        if (extent == 0) return 0;
        overflows = __builtin_mul_overflow(bytes, extent, &bytes) || overflows;
    }
    return overflows ? std::numeric_limits<std::size_t>::max() : bytes;
}

// Whether memory of `capacity` is replaced for `bytes`: it is too small, or far larger than needed,
// left by an exceptional request.
bool is_to_be_replaced(std::size_t capacity, std::size_t bytes) {
    constexpr std::size_t kKept = std::size_t{4} << 20;
    return capacity < bytes || (capacity > kKept && bytes < capacity / 8);
}

}  // namespace

Result<std::unique_ptr<engine::Session>> DynamicSession::make(const SessionContext& context) {
    const std::shared_ptr<const Source> source = context.source.lock();
    if (source == nullptr) return fail(ErrorCode::kInternal, "the graph is gone");
    LEPTON_TRY(ov::CompiledModel compiled, compile(*source, source->model, context.options));
    LEPTON_TRY(GuardedRequest request, GuardedRequest::make(std::move(compiled), context.plan));
    return std::unique_ptr<engine::Session>(new DynamicSession(context, std::move(request)));
}

DynamicSession::DynamicSession(const SessionContext& context, GuardedRequest request)
    : source_(context.source),
      plan_(context.plan),
      options_(context.options),
      batches_(context.batches),
      strings_(context.strings),
      request_(std::move(request)),
      inputs_(context.inputs.size()),
      outputs_(context.outputs.size()) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].name = context.inputs[i].name;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        outputs_[i].name = context.outputs[i].name;
        outputs_[i].dtype = context.outputs[i].dtype;
    }
}

Result<> DynamicSession::prepare(std::int64_t rows) {
    if (rows < 1 || (rows > 1 && !batches_)) {
        return fail(ErrorCode::kInvalidArgument,
                    "cannot prepare " + std::to_string(rows) + " rows" +
                        (batches_ ? "" : " of a model that does not batch"));
    }
    const auto at = std::lower_bound(row_counts_.begin(), row_counts_.end(), rows);
    if (at == row_counts_.end() || *at != rows) row_counts_.insert(at, rows);
    return {};
}

void DynamicSession::drop(std::int64_t rows) { std::erase(row_counts_, rows); }

Result<> DynamicSession::set_input(std::size_t index, const TensorView& view) {
    Input& input = inputs_[index];
    const std::optional<std::int64_t> elements = view.shape.element_count();
    if (!elements) {
        return fail(ErrorCode::kInvalidArgument,
                    "input \"" + input.name + "\" has shape " + to_string(view.shape));
    }
    const ov::Shape dims = to_dims(view.shape);
    if (view.dtype == DataType::kBytes) {
        if (!input.strings) input.strings = ov::Tensor(ov::element::string, dims);
        input.strings.set_shape(dims);
        LEPTON_RETURN_IF_ERROR(
            decode_strings(view.data,
                           {input.strings.data<std::string>(), input.strings.get_size()},
                           input.name,
                           strings_));
        request_.set_input(index, input.strings);
        return {};
    }
    const std::size_t bytes = static_cast<std::size_t>(*elements) * element_bytes(view.dtype);
    if (view.data.size() != bytes) {
        return fail(ErrorCode::kInvalidArgument,
                    "input \"" + input.name + "\" has " + std::to_string(view.data.size()) +
                        " bytes, shape " + to_string(view.shape) + " needs " +
                        std::to_string(bytes));
    }
    const std::byte* data = view.data.data();
    if (data == nullptr || !is_aligned(data)) {
        if (input.memory == nullptr || is_to_be_replaced(input.capacity, bytes)) {
            input.memory = make_aligned_bytes(bytes);
            input.capacity = bytes;
        }
        if (bytes > 0) std::memcpy(input.memory.get(), data, bytes);
        data = input.memory.get();
    }
    request_.set_input(
        index, ov::Tensor(element_type_of(view.dtype), dims, static_cast<const void*>(data)));
    return {};
}

// Finds the facts of these shapes, unless the latest run had the same.
Result<> DynamicSession::take_shapes(std::span<const TensorView> inputs) {
    if (are_shapes_of(inputs, shapes_) && !spoiled_) return {};
    shapes_.clear();
    std::vector<Shape> shapes = shapes_of(inputs);
    LEPTON_TRY(const auto facts, plan_->shapes->facts(shapes));
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        const ov::PartialShape& shape = facts->outputs[i];
        if (least_bytes(shape, outputs_[i].dtype) <= kMostBytes) continue;
        return fail(ErrorCode::kInvalidArgument,
                    "output \"" + outputs_[i].name + "\" would have shape " + shape.to_string());
    }
    if (spoiled_) LEPTON_RETURN_IF_ERROR(compile_again());
    for (std::size_t i = 0; i < outputs_.size(); ++i) place_output(i, facts->outputs[i]);
    shapes_ = std::move(shapes);
    proven_ = false;
    depend_on_values_ = facts->depend_on_values;
    return {};
}

Result<> DynamicSession::compile_again() {
    std::shared_ptr<const Source> source = source_.lock();
    if (source == nullptr) {
        LEPTON_TRY(source, read_again(*plan_));
    }
    LEPTON_TRY(ov::CompiledModel compiled, compile(*source, source->model, options_));
    LEPTON_TRY(request_, GuardedRequest::make(std::move(compiled), plan_));
    spoiled_ = false;
    return {};
}

void DynamicSession::place_output(std::size_t index, ov::PartialShape shape) {
    const OutputSource source = plan_->outputs[index];
    if (source.kind != OutputSource::Kind::kComputed) return;
    // The compiled model knows some extents that shape inference leaves open.
    ov::PartialShape::merge_into(shape, request_.fixed_shape(source.index));
    Output& output = outputs_[index];
    output.shape = shape;
    const ov::element::Type type = element_type_of(output.dtype);
    if (shape.is_dynamic()) return request_.open_output(source.index, shape);
    if (output.dtype == DataType::kBytes) {
        return request_.set_output(source.index, ov::Tensor(type, shape.to_shape()));
    }
    const std::size_t bytes = ov::shape_size(shape.to_shape()) * element_bytes(output.dtype);
    if (output.memory == nullptr || is_to_be_replaced(output.capacity, bytes)) {
        output.memory = make_aligned_bytes(bytes);
        output.capacity = bytes;
    }
    request_.set_output(source.index, ov::Tensor(type, shape.to_shape(), output.memory.get()));
}

Result<> DynamicSession::view_output(std::size_t index,
                                     std::int64_t rows,
                                     std::span<const TensorView> inputs,
                                     TensorView& view) {
    Output& output = outputs_[index];
    const OutputSource source = plan_->outputs[index];
    if (source.kind == OutputSource::Kind::kInput) {
        // A copy, because the sender may overwrite the input's memory.
        const TensorView& given = inputs[source.index];
        output.encoded.assign(given.data.begin(), given.data.end());
        view = {given.dtype, given.shape, output.encoded};
        return {};
    }
    const ov::Tensor& tensor = request_.output(source.index);
    view.shape.clear();
    for (const std::size_t dim : tensor.get_shape()) {
        view.shape.push_back(static_cast<std::int64_t>(dim));
    }
    if (!output.shape.compatible(tensor.get_shape())) {
        spoiled_ = true;
        return fail(ErrorCode::kInternal,
                    "OpenVINO gave output \"" + output.name + "\" shape " + to_string(view.shape) +
                        ", of these inputs it has " + output.shape.to_string());
    }
    if (batches_ && (view.shape.empty() || view.shape[0] != rows)) {
        return fail(ErrorCode::kInternal,
                    "output \"" + output.name + "\" has shape " + to_string(view.shape) + " for " +
                        std::to_string(rows) + " rows of input");
    }
    view.dtype = output.dtype;
    if (view.dtype == DataType::kBytes) {
        LEPTON_RETURN_IF_ERROR(
            encode_strings({tensor.data<const std::string>(), tensor.get_size()}, output.encoded));
        view.data = output.encoded;
        return {};
    }
    view.data = {static_cast<const std::byte*>(tensor.data()), tensor.get_byte_size()};
    return {};
}

Result<> DynamicSession::may_share(std::span<const TensorView> inputs) {
    if (options_.rows_trusted || are_shapes_of(inputs, shared_)) return {};
    std::vector<Shape> shapes = shapes_of(inputs);
    LEPTON_TRY(const auto facts, plan_->shapes->facts_of_rows(shapes));
    if (facts->dependence.empty()) {
        shared_ = std::move(shapes);
        return {};
    }
    return fail(ErrorCode::kUnsupported, facts->dependence);
}

std::span<const std::size_t> DynamicSession::output_bytes(std::span<const TensorView> inputs) {
    if (are_shapes_of(inputs, sized_)) return output_bytes_;
    std::vector<Shape> shapes = shapes_of(inputs);
    const auto facts = plan_->shapes->facts(shapes);
    if (!facts) return {};  // run() reports the reason.
    output_bytes_.clear();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        output_bytes_.push_back(least_bytes((*facts)->outputs[i], outputs_[i].dtype));
    }
    sized_ = std::move(shapes);
    return output_bytes_;
}

Result<> DynamicSession::run(std::int64_t rows,
                             std::span<const TensorView> inputs,
                             std::span<TensorView> outputs) {
    constexpr const char* kRefused = "the model refuses these inputs: ";
    try {
        if (auto taken = take_shapes(inputs); !taken) {
            return fail(taken.error().code, kRefused + taken.error().message);
        }
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            LEPTON_RETURN_IF_ERROR(set_input(i, inputs[i]));
        }
        if (auto ran = request_.infer(!proven_); !ran) {
            spoiled_ = spoiled_ || ran.error().code == ErrorCode::kInternal;
            return ran;
        }
        proven_ = true;
        for (std::size_t i = 0; i < outputs_.size(); ++i) {
            LEPTON_RETURN_IF_ERROR(view_output(i, rows, inputs, outputs[i]));
        }
    } catch (const std::exception& error) {
        // Refused values, of a shape that has run before, leave all shapes as they were.
        spoiled_ = spoiled_ || !proven_ || depend_on_values_;
        // Once a model is compiled, it can refuse only shapes and values.
        return fail(ErrorCode::kInvalidArgument, kRefused + reason_of(error.what()));
    }
    return {};
}

}  // namespace lepton::openvino
