#pragma once

#include "lepton/scheduler/policy.h"

namespace lepton::scheduler {

// First in, first out, as Triton's dynamic batcher has it: an idle instance takes what waits, up to
// the largest batch; with options.max_queue_delay it first waits for company, until one of
// options.preferred_batch_sizes or the largest batch has come together. Refuses only what has
// expired. For comparisons, and for those who depend on this order.
class FifoPolicy final : public Policy {
public:
    using Policy::Policy;

    Result<> admit(InferCall& call, const Moment& at, std::vector<Refused>& refused) override;
    Clock::time_point next_batch(const Moment& at,
                                 std::vector<InferCall*>& batch,
                                 std::vector<Refused>& refused) override;

protected:
    [[nodiscard]] Clock::time_point due_of(const QueuedCall& call) const override {
        return call.arrived;
    }

private:
    std::vector<std::size_t> places_;
};

}  // namespace lepton::scheduler
