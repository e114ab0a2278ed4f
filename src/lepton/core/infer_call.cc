#include "lepton/core/infer_call.h"

#include <cstring>
#include <utility>

namespace lepton {

void InferCall::keep_outputs() {
    if (std::exchange(outputs_kept_, true)) return;
    std::size_t bytes = 0;
    for (const OutputTensor& output : response.outputs) bytes += output.tensor.data.size();
    if (bytes == 0) return;
    std::byte* next = output_room(*this, bytes);
    for (OutputTensor& output : response.outputs) {
        const std::size_t size = output.tensor.data.size();
        if (size > 0) std::memcpy(next, output.tensor.data.data(), size);
        output.tensor.data = {next, size};
        next += size;
    }
}

void InferCall::reset() {
    request.model_name = request.model_version = request.id = {};
    request.inputs.clear();
    request.outputs.clear();
    request.parameters.clear();
    request.binary_data_output = false;
    request.deadline = kNoDeadline;
    request.priority = 0;
    response.model.reset();
    response.outputs.clear();
    response.error.reset();
    timeline = {};
    trace = {};
    protocol = CallProtocol::kInProcess;
    status = 0;
    observer = nullptr;
    caller_waits = false;
    on_complete = nullptr;
    output_room = nullptr;
    on_written = nullptr;
    on_cancelled = nullptr;
    cancelled.store(false, std::memory_order_relaxed);  // Nobody else holds the call here.
    route.reset();
    rows = 1;
    shape_class = 0;
    queued_behind = 0;
    batch_rows = 0;
    outputs_kept_ = false;
}

}  // namespace lepton
