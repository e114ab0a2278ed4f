#include "lepton/scheduler/batch_runner.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "lepton/memory/tensor_copy.h"
#include "lepton/model/tuning/row_counts.h"

namespace lepton::scheduler {
namespace {

// Above this the pieces of an answer are given back rather than kept for the next one.
constexpr std::size_t kKeptBytes = std::size_t{1} << 20;

// Cuts `rows` rows off the front of `rest`.
TensorView take_rows(TensorView& rest, std::int64_t rows) {
    TensorView taken = rest;
    taken.shape[0] = rows;
    std::size_t bytes = 0;
    if (rest.dtype == DataType::kBytes) {
        bytes = memory::bytes_of_elements(rest.data, taken.shape.element_count().value_or(0));
    } else if (rest.shape[0] > 0) {
        bytes = rest.data.size() / static_cast<std::size_t>(rest.shape[0]) *
                static_cast<std::size_t>(rows);
    }
    taken.data = rest.data.first(bytes);
    rest.data = rest.data.subspan(bytes);
    rest.shape[0] -= rows;
    return taken;
}

}  // namespace

BatchRunner::BatchRunner(engine::Session& session, const ModelSpec& spec, RunLimits limits)
    : session_(session),
      spec_(spec),
      limits_(std::move(limits)),
      bound_(spec, limits_.max_answer_bytes),
      max_rows_(1),
      inputs_(spec.inputs.size()),
      outputs_(spec.outputs.size()),
      rows_(spec.outputs.size()),
      gathered_(spec.inputs.size()),
      pieces_(spec.outputs.size()),
      sizes_(spec.outputs.size()) {
    if (!spec.batches) return;
    max_rows_ = model::most_rows_of_run(session, spec.inputs, spec.max_batch_size);
}

void BatchRunner::run(std::span<InferCall* const> calls, CallSink& sink) {
    stamps_ = {};
    stamps_.dispatched = Clock::now();
    const bool alone = calls.size() == 1;
    if (!alone || (calls.front()->rows <= max_rows_ &&
                   model::padding_of(spec_, calls.front()->request).needed())) {
        std::int64_t rows = 0;
        for (const InferCall* call : calls) rows += call->rows;
        if (run_together(calls, rows, sink)) return;
    }
    // One call; or several of which one may be the reason that they failed together: alone, each
    // gets its own answer or error.
    for (InferCall* call : calls) {
        Result<> ran;
        if (call != calls.front()) ran = may_go_on(*call);
        if (ran) ran = call->rows > max_rows_ ? run_in_pieces(*call, sink) : run_one(*call, sink);
        if (ran) {
            answer(*call);
        } else {
            stamp(*call);
            call->response.error = ran.error();
        }
        sink.done(*call);
    }
    for (std::vector<std::byte>& piece : pieces_) {
        if (piece.capacity() > kKeptBytes) piece = {};
    }
}

Result<> BatchRunner::run_one(InferCall& call, CallSink& sink) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i] = call.request.inputs[i].tensor;
    LEPTON_RETURN_IF_ERROR(call_engine(call.rows, 1, sink));
    std::copy(outputs_.begin(), outputs_.end(), rows_.begin());
    return {};
}

Result<> BatchRunner::run_in_pieces(InferCall& call, CallSink& sink) {
    for (auto& piece : pieces_) piece.clear();
    Clock::time_point first_start{};
    std::vector<TensorView> rest;
    rest.reserve(call.request.inputs.size());
    for (const InputTensor& input : call.request.inputs) rest.push_back(input.tensor);
    for (std::int64_t left = call.rows; left > 0;) {
        const std::int64_t rows = std::min(left, max_rows_);
        for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i] = take_rows(rest[i], rows);
        if (left < call.rows) {
            LEPTON_RETURN_IF_ERROR(may_go_on(call));
        } else if (!session_.may_share(inputs_)) {
            return run_one(call, sink);
        } else {
            const auto sizes = session_.output_bytes(inputs_);
            LEPTON_RETURN_IF_ERROR(bound_.check(call.request, sizes, rows, call.rows));
        }
        LEPTON_RETURN_IF_ERROR(call_engine(rows, 1, sink));
        if (first_start == Clock::time_point{}) first_start = stamps_.compute_start;
        LEPTON_RETURN_IF_ERROR(keep_outputs(call));
        left -= rows;
    }
    stamps_.compute_start = first_start;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        rows_[i] = outputs_[i];
        rows_[i].shape[0] = call.rows;
        rows_[i].data = pieces_[i];
    }
    return {};
}

Result<> BatchRunner::may_go_on(const InferCall& call) const {
    if (call.cancelled.load(std::memory_order_relaxed)) {
        return fail(ErrorCode::kCancelled, "the client went away");
    }
    // Without ordering: a late read only costs one more piece.
    if (limits_.stop != nullptr && limits_.stop->load(std::memory_order_relaxed)) {
        return fail(ErrorCode::kUnavailable, "the server is stopping");
    }
    if (stamps_.compute_end > call.request.deadline) {
        return fail(ErrorCode::kDeadlineExceeded, "deadline exceeded between runs in pieces");
    }
    return {};
}

Result<> BatchRunner::keep_outputs(const InferCall& call) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        sizes_[i] = pieces_[i].size() + outputs_[i].data.size();
    }
    LEPTON_RETURN_IF_ERROR(bound_.check(call.request, sizes_, 1, 1));
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        if (!is_wanted(call.request, spec_.outputs[i])) continue;
        const std::span<const std::byte> data = outputs_[i].data;
        pieces_[i].insert(pieces_[i].end(), data.begin(), data.end());
    }
    return {};
}

Result<> BatchRunner::run_together(std::span<InferCall* const> calls,
                                   std::int64_t rows,
                                   CallSink& sink) {
    const bool pads = !spec_.pad_to.empty();
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
        pads ? gather_padded(i, calls, rows) : gather(i, calls, rows);
    }
    if (calls.size() > 1) LEPTON_RETURN_IF_ERROR(session_.may_share(inputs_));
    LEPTON_RETURN_IF_ERROR(call_engine(rows, calls.size(), sink));
    for (InferCall* call : calls) {
        const model::Padding padding =
            pads ? model::padding_of(spec_, call->request) : model::Padding{};
        for (std::size_t i = 0; i < outputs_.size(); ++i) {
            rows_[i] = take_rows(outputs_[i], call->rows);
            if (padding.needed()) cut(i, padding);
        }
        answer(*call);
        sink.done(*call);
    }
    return {};
}

Result<> BatchRunner::call_engine(std::int64_t rows, std::size_t answers, CallSink& sink) {
    LEPTON_RETURN_IF_ERROR(bound_.check_run(session_.output_bytes(inputs_), answers));
    run_rows_ = rows;
    stamps_.compute_start = Clock::now();
    auto ran = session_.run(rows, inputs_, outputs_);
    stamps_.compute_end = Clock::now();
    const Clock::time_point ended = stamps_.compute_end;
    if (ran) sink.ran(rows, ended - stamps_.compute_start, ended);
    return ran;
}

void BatchRunner::gather(std::size_t index, std::span<InferCall* const> calls, std::int64_t rows) {
    std::size_t bytes = 0;
    for (const InferCall* call : calls) bytes += call->request.inputs[index].tensor.data.size();
    const std::span<std::byte> place = room(index, bytes);
    std::byte* next = place.data();
    for (const InferCall* call : calls) {
        const auto data = call->request.inputs[index].tensor.data;
        if (data.empty()) continue;
        std::memcpy(next, data.data(), data.size());
        next += data.size();
    }
    inputs_[index] = calls.front()->request.inputs[index].tensor;
    inputs_[index].shape[0] = rows;
    inputs_[index].data = place;
}

void BatchRunner::gather_padded(std::size_t index,
                                std::span<InferCall* const> calls,
                                std::int64_t rows) {
    // All are of one shape class: padded, they have the same rows.
    const InferCall& first = *calls.front();
    const TensorView& tensor = first.request.inputs[index].tensor;
    const Shape& signature = spec_.inputs[index].shape;
    TensorView& run = inputs_[index];
    run.dtype = tensor.dtype;
    run.shape = model::padded(tensor.shape, signature, model::padding_of(spec_, first.request));
    run.shape[0] = 1;
    const std::size_t element = element_bytes(tensor.dtype);
    const std::size_t row_bytes =
        static_cast<std::size_t>(run.shape.element_count().value_or(0)) * element;
    const std::span<std::byte> place = room(index, row_bytes * static_cast<std::size_t>(rows));
    std::span<std::byte> rest = place;
    for (const InferCall* call : calls) {
        const TensorView& from = call->request.inputs[index].tensor;
        run.shape[0] = call->rows;
        const std::size_t bytes = row_bytes * static_cast<std::size_t>(call->rows);
        memory::copy_common(from.data, from.shape, rest.first(bytes), run.shape, element);
        rest = rest.subspan(bytes);
    }
    run.shape[0] = rows;
    run.data = place;
}

std::span<std::byte> BatchRunner::room(std::size_t index, std::size_t bytes) {
    const std::span<std::byte> slot = session_.slot(index);
    if (slot.size() >= bytes) return slot.first(bytes);
    if (gathered_[index].size() < bytes) gathered_[index].resize(bytes);
    return std::span(gathered_[index]).first(bytes);
}

void BatchRunner::cut(std::size_t index, const model::Padding& padding) {
    TensorView& rows = rows_[index];
    const Shape shape = model::padded(
        rows.shape, spec_.outputs[index].shape, {.from = padding.to, .to = padding.from});
    if (shape == rows.shape) return;
    const std::size_t element = element_bytes(rows.dtype);
    pieces_[index].resize(static_cast<std::size_t>(shape.element_count().value_or(0)) * element);
    memory::copy_common(rows.data, rows.shape, pieces_[index], shape, element);
    rows = {rows.dtype, shape, pieces_[index]};
}

void BatchRunner::stamp(InferCall& call) const {
    call.timeline.dispatched = stamps_.dispatched;
    call.timeline.compute_start = stamps_.compute_start;
    call.timeline.compute_end = stamps_.compute_end;
    call.batch_rows = run_rows_;
}

void BatchRunner::answer(InferCall& call) {
    stamp(call);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) bytes += sizes_[i] = rows_[i].data.size();
    if (bytes > bound_.most()) [[unlikely]] {
        if (const auto fits = bound_.check(call.request, sizes_, 1, 1); !fits) {
            call.response.error = fits.error();
            return;
        }
    }
    const auto give = [&](std::size_t i) {
        call.response.outputs.push_back({spec_.outputs[i].name, rows_[i]});
    };
    if (call.request.outputs.empty()) {
        for (std::size_t i = 0; i < rows_.size(); ++i) give(i);
        return;
    }
    for (const RequestedOutput& wanted : call.request.outputs) {
        const auto found = std::find_if(
            spec_.outputs.begin(), spec_.outputs.end(), [&wanted](const TensorSpec& output) {
                return output.name == wanted.name;
            });
        give(static_cast<std::size_t>(found - spec_.outputs.begin()));
    }
}

}  // namespace lepton::scheduler
