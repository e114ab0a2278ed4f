#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/result.h"

namespace lepton::scheduler {

// The calls that wait for one model, earliest deadline first, then by arrival. Holds them without
// owning them. Not thread-safe; the owner serialises.
class CallQueue {
public:
    explicit CallQueue(std::size_t max_calls);

    // Errors: kQueueFull; the call is then still the caller's.
    Result<> push(InferCall& call);

    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }
    // Precondition of both: not empty.
    [[nodiscard]] InferCall& front() const { return *heap_.front(); }
    InferCall& pop();

    // Takes the head and, in order, as many of those behind it as may share its run: of the same
    // shape class, at most `max_rows` rows together. A head with more rows comes alone. Calls that
    // have expired by `now` or whose client has gone are put into `dropped` instead.
    void pop_batch(std::int64_t max_rows,
                   Clock::time_point now,
                   std::vector<InferCall*>& batch,
                   std::vector<InferCall*>& dropped);

    // Moves the calls that have expired by `now` to `dropped`.
    void pop_expired(Clock::time_point now, std::vector<InferCall*>& dropped);

private:
    const std::size_t max_calls_;
    std::uint64_t arrivals_ = 0;
    std::vector<InferCall*> heap_;
};

}  // namespace lepton::scheduler
