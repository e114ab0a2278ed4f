#include "lepton/core/request_record.h"

namespace lepton {

RequestRecord record_of(const InferCall& call) {
    RequestRecord record;
    record.model_name = ShortText(call.request.model_name);
    record.model = call.response.model;
    record.id = ShortText(call.request.id);
    record.timeline = call.timeline;
    record.trace = call.trace;
    record.trace.state = {};
    record.deadline = call.request.deadline;
    record.priority = call.request.priority;
    record.rows = call.rows;
    record.batch_rows = call.batch_rows;
    record.queued_behind = call.queued_behind;
    record.protocol = call.protocol;
    record.route = call.route;
    record.status = call.status;
    if (call.response.error) record.error = call.response.error->code;
    if (call.cancelled.load(std::memory_order_relaxed)) record.error = ErrorCode::kCancelled;
    return record;
}

}  // namespace lepton
