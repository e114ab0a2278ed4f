#include "lepton/core/infer_call.h"

namespace lepton {

void InferCall::reset() {
    request.clear();
    response.clear();
    timeline = {};
    trace = {};
    protocol = CallProtocol::kInProcess;
    route = {};
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
