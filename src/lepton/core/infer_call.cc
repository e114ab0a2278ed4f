#include "lepton/core/infer_call.h"

namespace lepton {
namespace {

// Above this a finished call gives its memory back rather than keep it for the next one.
constexpr std::size_t kKeptBytes = std::size_t{1} << 20;

}  // namespace

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
    on_written = nullptr;
    on_cancelled = nullptr;
    cancelled.store(false, std::memory_order_relaxed);  // Nobody else holds the call here.
    route.reset();
    rows = 1;
    shape_class = 0;
    queued_behind = 0;
    batch_rows = 0;
    if (outputs_copy.size() > kKeptBytes) std::vector<std::byte>().swap(outputs_copy);
}

}  // namespace lepton
