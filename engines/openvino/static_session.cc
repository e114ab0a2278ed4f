#include "engines/openvino/static_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engines/openvino/element_type.h"
#include "engines/openvino/failure.h"
#include "engines/openvino/string_tensor.h"

namespace lepton::openvino {
namespace {

// Below this size, copying costs less than telling OpenVINO of another address (about 1 us).
constexpr std::size_t kInPlaceBytes = std::size_t{64} << 10;

Shape to_shape(const ov::Shape& dims) {
    Shape shape;
    for (const std::size_t dim : dims) shape.push_back(static_cast<std::int64_t>(dim));
    return shape;
}

// The shape of an output of the signature.
const ov::Shape& shape_of(OutputSource source, const ov::Model& model) {
    return source.kind == OutputSource::Kind::kInput ? model.input(source.index).get_shape()
                                                     : model.output(source.index).get_shape();
}

}  // namespace

Result<std::unique_ptr<engine::Session>> StaticSession::make(
    const SessionContext& context, std::shared_ptr<const ov::Model> one_row) {
    for (std::size_t i = 0; context.batches && i < context.outputs.size(); ++i) {
        const OutputSource source = context.plan->outputs[i];
        const std::size_t extent = shape_of(source, *one_row)[0];
        if (extent != 1) {
            return fail(ErrorCode::kInvalidArgument,
                        "output \"" + context.outputs[i].name + "\" has " + std::to_string(extent) +
                            " rows for one row of input");
        }
    }
    return std::unique_ptr<engine::Session>(new StaticSession(context, std::move(one_row)));
}

StaticSession::StaticSession(const SessionContext& context,
                             std::shared_ptr<const ov::Model> one_row)
    : source_(context.source),
      plan_(context.plan),
      options_(context.options),
      batches_(context.batches),
      strings_(context.strings) {
    const auto describe = [](const TensorSpec& spec, const ov::Shape& dims) {
        Tensor tensor;
        tensor.name = spec.name;
        tensor.dtype = spec.dtype;
        tensor.shape = to_shape(dims);
        tensor.row_bytes = ov::shape_size(dims) * element_bytes(spec.dtype);
        return tensor;
    };
    for (std::size_t i = 0; i < context.inputs.size(); ++i) {
        inputs_.push_back(describe(context.inputs[i], one_row->input(i).get_shape()));
    }
    for (std::size_t i = 0; i < context.outputs.size(); ++i) {
        outputs_.push_back(describe(context.outputs[i], shape_of(plan_->outputs[i], *one_row)));
    }
    one_row_ = std::move(one_row);
}

// Whether that many rows may share a run.
Result<> StaticSession::check_rows(std::int64_t rows) const {
    if (rows == 1 || options_.rows_trusted) return {};
    std::vector<Shape> shapes;
    for (const Tensor& input : inputs_) {
        shapes.push_back(input.shape);
        shapes.back()[0] = rows;
    }
    LEPTON_TRY(const auto facts, plan_->shapes->facts_of_rows(shapes));
    if (facts->dependence.empty()) return {};
    return fail(ErrorCode::kUnsupported, facts->dependence);
}

Result<StaticSession::Bucket> StaticSession::compile_bucket(std::int64_t rows) {
    const std::shared_ptr<const Source> source = source_.lock();
    if (source == nullptr) {
        return fail(ErrorCode::kInternal, "a session cannot prepare once its graph is gone");
    }
    LEPTON_RETURN_IF_ERROR(check_rows(rows));
    std::shared_ptr<const ov::Model> model = rows == 1 ? std::exchange(one_row_, nullptr) : nullptr;
    if (model == nullptr) {
        LEPTON_TRY(model, with_rows(*source, rows));
    }
    LEPTON_TRY(ov::CompiledModel compiled, compile(*source, model, options_));
    Bucket bucket;
    bucket.rows = rows;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        if (plan_->outputs[i].kind != OutputSource::Kind::kComputed) continue;
        Shape expected = outputs_[i].shape;
        if (batches_) expected[0] = rows;
        const ov::PartialShape actual =
            compiled.output(plan_->outputs[i].index).get_partial_shape();
        if (actual.is_dynamic() || to_shape(actual.to_shape()) != expected) {
            return fail(ErrorCode::kInvalidArgument,
                        "output \"" + outputs_[i].name + "\" has shape " + actual.to_string() +
                            " for " + std::to_string(rows) + " rows, " + to_string(expected) +
                            " is needed to batch");
        }
    }
    LEPTON_TRY(bucket.request, GuardedRequest::make(std::move(compiled), plan_));
    return bucket;
}

Result<> StaticSession::prepare(std::int64_t rows) {
    if (rows < 1 || (rows > 1 && !batches_)) {
        return fail(ErrorCode::kInvalidArgument,
                    "cannot prepare " + std::to_string(rows) + " rows" +
                        (batches_ ? "" : " of a model that does not batch"));
    }
    const auto at = std::lower_bound(row_counts_.begin(), row_counts_.end(), rows);
    if (at != row_counts_.end() && *at == rows) return {};
    LEPTON_TRY(Bucket bucket, compile_bucket(rows));
    const auto position = at - row_counts_.begin();
    row_counts_.insert(at, rows);
    buckets_.insert(buckets_.begin() + position, std::move(bucket));
    return guarded(ErrorCode::kInternal, "tensors cannot be set", [&] { bind_all(); });
}

void StaticSession::drop(std::int64_t rows) {
    const auto at = std::find(row_counts_.begin(), row_counts_.end(), rows);
    if (at == row_counts_.end()) return;
    buckets_.erase(buckets_.begin() + (at - row_counts_.begin()));
    row_counts_.erase(at);
}

// Makes room for the largest row count, and gives every request the addresses of its tensors.
void StaticSession::bind_all() {
    if (row_counts_.back() <= slot_rows_) {
        for (Bucket& bucket : buckets_) {
            if (!bucket.bound) bind(bucket);
        }
        return;
    }
    slot_rows_ = row_counts_.back();
    const auto grow = [&](Tensor& tensor) {
        if (tensor.dtype == DataType::kBytes) return;
        tensor.memory = make_aligned_bytes(tensor.row_bytes * static_cast<std::size_t>(slot_rows_));
    };
    std::for_each(inputs_.begin(), inputs_.end(), grow);
    std::for_each(outputs_.begin(), outputs_.end(), grow);
    for (Bucket& bucket : buckets_) bind(bucket);
}

void StaticSession::bind(Bucket& bucket) {
    const auto tensor_over = [&](Tensor& tensor) {
        ov::Shape dims;
        for (const std::int64_t dim : tensor.shape) dims.push_back(static_cast<std::size_t>(dim));
        if (batches_) dims[0] = static_cast<std::size_t>(bucket.rows);
        const ov::element::Type type = element_type_of(tensor.dtype);
        if (tensor.dtype == DataType::kBytes) return ov::Tensor(type, dims);
        return ov::Tensor(type, dims, tensor.memory.get());
    };
    bucket.bound = true;
    bucket.inputs.clear();
    bucket.foreign.assign(inputs_.size(), nullptr);
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
        bucket.inputs.push_back(tensor_over(inputs_[i]));
        bucket.request.set_input(i, bucket.inputs[i]);
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        if (plan_->outputs[i].kind != OutputSource::Kind::kComputed) continue;
        bucket.request.set_output(plan_->outputs[i].index, tensor_over(outputs_[i]));
    }
}

std::span<std::byte> StaticSession::slot(std::size_t index) {
    const Tensor& tensor = inputs_[index];
    return {tensor.memory.get(),
            tensor.memory == nullptr ? 0 : tensor.row_bytes * static_cast<std::size_t>(slot_rows_)};
}

Result<StaticSession::Bucket*> StaticSession::bucket_for(std::int64_t rows) {
    if (rows > 0) {
        for (Bucket& bucket : buckets_) {
            if (bucket.rows >= rows) return &bucket;
        }
    }
    return fail(ErrorCode::kInvalidArgument,
                "cannot run " + std::to_string(rows) + " rows, prepared for at most " +
                    std::to_string(row_counts_.empty() ? 0 : row_counts_.back()));
}

Result<> StaticSession::place_input(Bucket& bucket,
                                    std::size_t index,
                                    std::int64_t rows,
                                    const TensorView& view) {
    const Tensor& tensor = inputs_[index];
    if (tensor.dtype == DataType::kBytes) {
        const std::size_t elements = bucket.inputs[index].get_size() /
                                     static_cast<std::size_t>(bucket.rows) *
                                     static_cast<std::size_t>(rows);
        LEPTON_RETURN_IF_ERROR(decode_strings(view.data,
                                              {bucket.inputs[index].data<std::string>(), elements},
                                              tensor.name,
                                              strings_));
        fill_spare_rows(bucket, index, rows);
        return {};
    }
    const std::size_t bytes = tensor.row_bytes * static_cast<std::size_t>(rows);
    if (view.data.size() != bytes) [[unlikely]] {
        return fail(ErrorCode::kInvalidArgument,
                    "input \"" + tensor.name + "\" has " + std::to_string(view.data.size()) +
                        " bytes, " + std::to_string(rows) + " rows need " + std::to_string(bytes));
    }
    const std::byte*& foreign = bucket.foreign[index];
    if (bytes >= kInPlaceBytes && rows == bucket.rows && is_aligned(view.data.data()) &&
        view.data.data() != tensor.memory.get()) {
        if (foreign == view.data.data()) return {};
        bucket.request.set_input(index,
                                 ov::Tensor(element_type_of(tensor.dtype),
                                            bucket.inputs[index].get_shape(),
                                            static_cast<const void*>(view.data.data())));
        foreign = view.data.data();
        return {};
    }
    // The address of an earlier run may be gone, so it is never left in place for a run that does
    // not use it.
    if (foreign != nullptr) {
        bucket.request.set_input(index, bucket.inputs[index]);
        foreign = nullptr;
    }
    if (view.data.data() != tensor.memory.get() && bytes > 0) {
        std::memcpy(tensor.memory.get(), view.data.data(), bytes);
    }
    fill_spare_rows(bucket, index, rows);
    return {};
}

void StaticSession::fill_spare_rows(Bucket& bucket, std::size_t index, std::int64_t rows) {
    const Tensor& tensor = inputs_[index];
    if (tensor.dtype == DataType::kBytes) {
        const std::size_t row =
            bucket.inputs[index].get_size() / static_cast<std::size_t>(bucket.rows);
        auto* const strings = bucket.inputs[index].data<std::string>();
        for (std::size_t i = row * static_cast<std::size_t>(rows);
             i < bucket.inputs[index].get_size();
             ++i) {
            strings[i] = strings[i - row];
        }
        return;
    }
    std::byte* row = tensor.memory.get() + tensor.row_bytes * static_cast<std::size_t>(rows);
    for (std::int64_t i = rows; i < bucket.rows; ++i, row += tensor.row_bytes) {
        std::memcpy(row, row - tensor.row_bytes, tensor.row_bytes);
    }
}

Result<> StaticSession::view_output(const Bucket& bucket,
                                    std::size_t index,
                                    std::int64_t rows,
                                    std::span<const TensorView> inputs,
                                    TensorView& view) {
    Tensor& tensor = outputs_[index];
    const OutputSource source = plan_->outputs[index];
    view.dtype = tensor.dtype;
    view.shape = tensor.shape;
    if (batches_) view.shape[0] = rows;
    if (source.kind == OutputSource::Kind::kInput) {
        // A copy, because the sender may overwrite the input's memory.
        const std::span<const std::byte> given = inputs[source.index].data;
        tensor.encoded.assign(given.begin(), given.end());
        view.data = tensor.encoded;
        return {};
    }
    // Several outputs that are one tensor share one memory.
    const ov::Tensor& computed = bucket.request.output(source.index);
    if (tensor.dtype != DataType::kBytes) {
        view.data = {static_cast<const std::byte*>(computed.data()),
                     tensor.row_bytes * static_cast<std::size_t>(rows)};
        return {};
    }
    const std::size_t elements = computed.get_size() / static_cast<std::size_t>(bucket.rows) *
                                 static_cast<std::size_t>(rows);
    LEPTON_RETURN_IF_ERROR(
        encode_strings({computed.data<const std::string>(), elements}, tensor.encoded));
    view.data = tensor.encoded;
    return {};
}

Result<> StaticSession::run(std::int64_t rows,
                            std::span<const TensorView> inputs,
                            std::span<TensorView> outputs) {
    LEPTON_TRY(Bucket * bucket, bucket_for(rows));
    try {
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            LEPTON_RETURN_IF_ERROR(place_input(*bucket, i, rows, inputs[i]));
        }
        LEPTON_RETURN_IF_ERROR(bucket->request.infer(!bucket->proven));
        bucket->proven = true;
        for (std::size_t i = 0; i < outputs_.size(); ++i) {
            LEPTON_RETURN_IF_ERROR(view_output(*bucket, i, rows, inputs, outputs[i]));
        }
    } catch (const std::exception& error) {
        // Once a model is compiled, it can refuse only values.
        return fail(ErrorCode::kInvalidArgument,
                    "the model refuses these inputs: " + reason_of(error.what()));
    }
    return {};
}

}  // namespace lepton::openvino
