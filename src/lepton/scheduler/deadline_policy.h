#pragma once

#include "lepton/scheduler/admission_margin.h"
#include "lepton/scheduler/arrival_rate.h"
#include "lepton/scheduler/batch_plan.h"
#include "lepton/scheduler/policy.h"

namespace lepton::scheduler {

// Answers as many calls in time as it can, without being told a batch size or a delay.
//
// Calls wait in the order of their virtual deadlines: the time that a call has left counts half for
// each step of priority above the default, double for each below, and one without a deadline has
// kPatience. So an important call comes earlier, and no call waits for ever.
//
// Among equally important ones, clients take turns. A call without a deadline comes beside the one
// of the client with the most that has as many of its own before it; and where the queue is full,
// or no plan serves a call, that client gives up its last one for that of another which has fewer.
//
// A call is admitted only where a plan (BatchPlanner) serves it and every call that was admitted
// before it and is at least as important; less important ones make room. An idle instance runs the
// first batch of the best plan. What the plan leaves behind waits for the next one, until it could
// not be in time even alone.
class DeadlinePolicy final : public Policy {
public:
    static constexpr Clock::duration kPatience = std::chrono::seconds(1);

    using Policy::Policy;

    Result<> admit(InferCall& call, const Moment& at, std::vector<Refused>& refused) override;
    Clock::time_point next_batch(const Moment& at,
                                 std::vector<InferCall*>& batch,
                                 std::vector<Refused>& refused) override;
    void answered(bool in_time) override;

protected:
    void place(QueuedCall& call) const override;
    void expired() override { margin_.on_broken(); }
    void learn_from(const Policy& old) override;

private:
    void count_arrival(const QueuedCall& call);
    [[nodiscard]] Result<> check_hopeless(const QueuedCall& call, const Moment& at) const;
    // Whether what is known of such calls is too little to refuse one for it, while nobody else
    // would suffer.
    bool may_try(const QueuedCall& call, const Moment& at);
    // The client with the most as important calls, where it has more than this one's will; or null.
    [[nodiscard]] const CallQueue::Share* largest_share(const QueuedCall& call) const;
    void take_turn(QueuedCall& call) const;
    // Makes room under the queue's bounds at the cost of a less important call, or of the client
    // that has the most.
    Result<> make_room(const QueuedCall& call, std::vector<Refused>& refused);
    // The last call of the client with the largest share; the queue's size where there is none.
    // `hurried`: one that has a deadline.
    [[nodiscard]] std::size_t out_of_turn(const QueuedCall& call, bool hurried) const;
    // Whether everything that waits would be in time in any order, the call included.
    [[nodiscard]] bool all_is_easy(const QueuedCall& call, const Moment& at) const;
    Result<> admit_by_plan(QueuedCall call, const Moment& at, std::vector<Refused>& refused);
    // Takes the call if a plan serves it and whom it must; less important ones go to `refused`.
    bool fits_plan(const QueuedCall& call, const Moment& at, std::vector<Refused>& refused);
    [[nodiscard]] bool is_too_far(const QueuedCall& call, const Moment& at) const;
    const BatchPlanner::Plan* plan_with(std::size_t place, const Moment& at);
    [[nodiscard]] Error overloaded(const QueuedCall& call, const Moment& at) const;
    // Rows per second that one instance can run, of the mix that arrives.
    [[nodiscard]] double capacity() const;
    // What arrives, as a share of what the instances can do.
    [[nodiscard]] double load(const Moment& at) const;
    [[nodiscard]] double margin(const Moment& at) const;
    [[nodiscard]] double price(const Moment& at) const;
    void take_head(std::vector<InferCall*>& batch, std::vector<Refused>& refused);
    void refuse_hopeless(const Moment& at, std::vector<Refused>& refused);

    BatchPlanner planner_;
    ArrivalRate arrivals_;  // Rows.
    ArrivalRate work_;      // Nanoseconds of machine time, at the most efficient row count.
    AdmissionMargin margin_;
    std::vector<std::size_t> places_;
};

}  // namespace lepton::scheduler
