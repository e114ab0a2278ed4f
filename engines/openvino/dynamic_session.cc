#include "engines/openvino/dynamic_session.h"

#include <algorithm>
#include <cstring>
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

}  // namespace

Result<std::unique_ptr<engine::Session>> DynamicSession::make(const SessionContext& context) {
    const std::shared_ptr<const Source> source = context.source.lock();
    if (source == nullptr) return fail(ErrorCode::kInternal, "the graph is gone");
    LEPTON_TRY(ov::CompiledModel compiled, compile(*source, source->model, context.options));
    LEPTON_TRY(ov::InferRequest request, guarded(ErrorCode::kInternal, source->file, [&] {
                   return compiled.create_infer_request();
               }));
    return std::unique_ptr<engine::Session>(new DynamicSession(context, std::move(request)));
}

DynamicSession::DynamicSession(const SessionContext& context, ov::InferRequest request)
    : batches_(context.batches),
      strings_(context.strings),
      request_(std::move(request)),
      inputs_(context.inputs.size()),
      outputs_(context.outputs.size()) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].name = context.inputs[i].name;
    for (std::size_t i = 0; i < outputs_.size(); ++i) outputs_[i].name = context.outputs[i].name;
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
        LEPTON_CHECK_OK(
            decode_strings(view.data,
                           {input.strings.data<std::string>(), input.strings.get_size()},
                           input.name,
                           strings_));
        request_.set_input_tensor(index, input.strings);
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
        if (input.memory == nullptr || input.capacity < bytes) {
            input.memory = make_aligned_bytes(bytes);
            input.capacity = bytes;
        }
        if (bytes > 0) std::memcpy(input.memory.get(), data, bytes);
        data = input.memory.get();
    }
    request_.set_input_tensor(
        index, ov::Tensor(element_type_of(view.dtype), dims, static_cast<const void*>(data)));
    return {};
}

Result<> DynamicSession::view_output(std::size_t index, std::int64_t rows, TensorView& view) {
    Output& output = outputs_[index];
    output.tensor = request_.get_output_tensor(index);
    view.shape.clear();
    for (const std::size_t dim : output.tensor.get_shape()) {
        view.shape.push_back(static_cast<std::int64_t>(dim));
    }
    if (batches_ && (view.shape.empty() || view.shape[0] != rows)) {
        return fail(ErrorCode::kInternal,
                    "output \"" + output.name + "\" has shape " + to_string(view.shape) + " for " +
                        std::to_string(rows) + " rows of input");
    }
    view.dtype = data_type_of(output.tensor.get_element_type()).value_or(DataType::kFp32);
    if (view.dtype == DataType::kBytes) {
        LEPTON_CHECK_OK(encode_strings(
            {output.tensor.data<std::string>(), output.tensor.get_size()}, output.encoded));
        view.data = output.encoded;
        return {};
    }
    view.data = {static_cast<const std::byte*>(output.tensor.data()),
                 output.tensor.get_byte_size()};
    return {};
}

Result<> DynamicSession::run(std::int64_t rows,
                             std::span<const TensorView> inputs,
                             std::span<TensorView> outputs) {
    try {
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            LEPTON_CHECK_OK(set_input(i, inputs[i]));
        }
        request_.infer();
        for (std::size_t i = 0; i < outputs_.size(); ++i) {
            LEPTON_CHECK_OK(view_output(i, rows, outputs[i]));
        }
    } catch (const std::exception& error) {
        // Once a model compiled, what it still may refuse are shapes.
        return fail(ErrorCode::kInvalidArgument,
                    "the model refuses these inputs: " + reason_of(error.what()));
    }
    return {};
}

}  // namespace lepton::openvino
