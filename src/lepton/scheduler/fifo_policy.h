#pragma once

#include "lepton/scheduler/policy.h"

namespace lepton::scheduler {

// First in, first out within each priority, as Triton's dynamic batcher has it: an idle instance
// takes as many rows as the largest of options.preferred_batch_sizes that waits, or else what
// waits, up to the largest batch. With options.max_queue_delay it first waits for such a number to
// come together, or one that no other call fits to. Refuses only what has waited for too long. For
// comparisons, and for those who depend on this order.
// https://github.com/triton-inference-server/core/blob/main/src/dynamic_batch_scheduler.cc
class FifoPolicy final : public Policy {
public:
    using Policy::Policy;

    Result<> admit(InferCall& call, const Moment& at, std::vector<Refused>& refused) override;
    Clock::time_point next_batch(const Moment& at,
                                 std::vector<InferCall*>& batch,
                                 std::vector<Refused>& refused) override;

protected:
    void place(QueuedCall& call) const override {
        // Twice, so that what is delayed has its place behind its priority.
        call.rank = std::uint64_t{call.priority} * 2;
        call.due = call.arrived;
    }

private:
    std::vector<std::size_t> places_;
};

}  // namespace lepton::scheduler
