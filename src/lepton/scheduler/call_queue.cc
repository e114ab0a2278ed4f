#include "lepton/scheduler/call_queue.h"

#include <algorithm>
#include <string>

namespace lepton::scheduler {
namespace {

// Orders a std heap with the earliest deadline on top.
bool later(const InferCall* a, const InferCall* b) {
    if (a->request.deadline != b->request.deadline) {
        return a->request.deadline > b->request.deadline;
    }
    return a->arrival_number > b->arrival_number;
}

bool is_dead(const InferCall& call, Clock::time_point now) {
    return call.request.deadline <= now || call.cancelled.load(std::memory_order_relaxed);
}

}  // namespace

CallQueue::CallQueue(std::size_t max_calls) : max_calls_(max_calls) {
    heap_.reserve(std::min<std::size_t>(max_calls, 1024));
}

Result<> CallQueue::push(InferCall& call) {
    if (heap_.size() >= max_calls_) {
        return fail(ErrorCode::kQueueFull,
                    "queue holds " + std::to_string(heap_.size()) + " requests, its bound");
    }
    call.arrival_number = arrivals_++;
    heap_.push_back(&call);
    std::push_heap(heap_.begin(), heap_.end(), later);
    return {};
}

InferCall& CallQueue::pop() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    InferCall& call = *heap_.back();
    heap_.pop_back();
    return call;
}

void CallQueue::pop_batch(std::int64_t max_rows,
                          Clock::time_point now,
                          std::vector<InferCall*>& batch,
                          std::vector<InferCall*>& dropped) {
    std::int64_t rows = 0;
    while (!heap_.empty()) {
        const InferCall& head = front();
        if (is_dead(head, now)) {
            dropped.push_back(&pop());
            continue;
        }
        if (!batch.empty() &&
            (rows + head.rows > max_rows || head.shape_class != batch.front()->shape_class)) {
            return;
        }
        rows += head.rows;
        batch.push_back(&pop());
    }
}

void CallQueue::pop_expired(Clock::time_point now, std::vector<InferCall*>& dropped) {
    while (!heap_.empty() && front().request.deadline <= now) dropped.push_back(&pop());
}

}  // namespace lepton::scheduler
