#include "lepton/core/infer_call.h"

namespace lepton {

void InferCall::reset() {
    request.model_name = request.model_version = request.id = {};
    request.inputs.clear();
    request.outputs.clear();
    request.parameters.clear();
    request.binary_data_output = false;
    request.deadline = kNoDeadline;
    request.priority = 0;
    response.clear();
    timeline = {};
    trace = {};
    protocol = CallProtocol::kInProcess;
    status = 0;
    caller_waits = false;
    cancelled.store(false, std::memory_order_relaxed);  // Nobody else holds the call here.
    rows = 1;
    shape_class = 0;
    queued_behind = 0;
    batch_rows = 0;
    while (stages_ > 0) chain_[--stages_].reset();
    unanswered_ = 0;
}

}  // namespace lepton
