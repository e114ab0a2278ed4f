#include "lepton/scheduler/dispatcher.h"

#include <algorithm>
#include <utility>

namespace lepton::scheduler {

Dispatcher::Dispatcher(Options options, Cores* cores, Clock::time_point now)
    : options_(std::move(options)),
      cores_(cores),
      policy_(make_policy(
          options_.queue, options_.max_rows, options_.service_times, now, options_.sizes_vary)),
      queue_(options_.queue),
      max_batch_size_(options_.max_batch_size),
      instances_(options_.instances),
      free_at_(options_.instances) {}

Result<> Dispatcher::admit(InferCall& call, Clock::time_point now, std::vector<Refused>& refused) {
    LEPTON_RETURN_IF_ERROR(check_rows(call));
    Request& request = call.request;
    if (request.deadline == kNoDeadline && queue_.default_timeout > Clock::duration::zero()) {
        request.deadline = call.timeline.begun + queue_.default_timeout;
    }
    const Moment at = moment(now, cores_.free_at(now));
    call.queued_behind = policy_->waiting();
    if (auto admitted = policy_->admit(call, at, refused); !admitted) {
        admitted.error().message.insert(0, "model \"" + options_.model + "\": ");
        return admitted;
    }
    call.timeline.admitted = now;
    return {};
}

// What the call was matched against knows the bound with which the model was loaded; this is the
// one in force.
Result<> Dispatcher::check_rows(const InferCall& call) const {
    if (max_batch_size_ == 0 || call.rows <= max_batch_size_) return {};
    return fail(ErrorCode::kInvalidArgument,
                "the request has " + std::to_string(call.rows) + " rows, model \"" +
                    options_.model + "\" allows at most " + std::to_string(max_batch_size_));
}

Dispatcher::Next Dispatcher::next(Clock::time_point now,
                                  std::vector<Refused>& refused,
                                  std::size_t first) {
    Next next;
    policy_->expire(now, refused);
    if (policy_->empty()) return next;
    const std::optional<std::size_t> idle = idle_instance(first);
    if (idle) next.look_at = fill(instances_[*idle], now, refused, next);
    if (idle && instances_[*idle].busy) {
        next.instance = idle;
    } else if (!policy_->empty()) {
        next.idle = idle;
        next.look_at = std::min(next.look_at, policy_->earliest_expiry());
    }
    return next;
}

std::optional<std::size_t> Dispatcher::idle_instance(std::size_t first) const {
    if (!instances_[first].busy) return first;
    const auto idle = std::find_if(
        instances_.begin(), instances_.end(), [](const Instance& one) { return !one.busy; });
    if (idle == instances_.end()) return std::nullopt;
    return static_cast<std::size_t>(idle - instances_.begin());
}

Clock::time_point Dispatcher::fill(Instance& instance,
                                   Clock::time_point now,
                                   std::vector<Refused>& refused,
                                   Next& next) {
    const CoreSeat::Answer cores = cores_.ask(*policy_, kShortRun, now, instance.cores);
    if (!cores.granted) return cores.ask_again;
    next.waited_for_cores = cores.waited;
    Moment at = moment(now, now);
    at.latest_end = cores.latest_end;
    const Clock::time_point look_at = policy_->next_batch(at, instance.batch, refused);
    if (instance.batch.empty()) {
        cores_.give_back(instance.cores);
        return look_at;
    }
    std::int64_t rows = 0;
    for (const InferCall* call : instance.batch) rows += call->rows;
    instance.active = at.active() + 1;
    instance.busy = true;
    instance.latency = &policy_->latency_of(*instance.batch.front(), now);
    next.predicted = instance.latency->typical(rows, instance.active);
    instance.ends = now + next.predicted;
    cores_.expect(instance.cores, instance.ends);
    return kNoDeadline;
}

Clock::duration Dispatcher::ran(std::size_t instance,
                                std::int64_t rows,
                                Clock::duration took,
                                Clock::time_point now) {
    Instance& of = instances_[instance];
    const Clock::duration predicted = of.latency->typical(rows, of.active);
    of.latency->observe(rows, took, now, of.active);
    of.cores.computed += took;
    return predicted;
}

void Dispatcher::release(std::size_t instance) {
    Instance& of = instances_[instance];
    of.busy = false;
    of.batch.clear();
    cores_.give_back(of.cores);
}

bool Dispatcher::is_any_busy() const {
    return std::any_of(
        instances_.begin(), instances_.end(), [](const Instance& one) { return one.busy; });
}

void Dispatcher::cancel(const InferCall& call, std::vector<Refused>& refused) {
    policy_->cancel(call, refused);
}

void Dispatcher::expire(Clock::time_point now, std::vector<Refused>& refused) {
    policy_->expire(now, refused);
}

void Dispatcher::reconfigure(const model::QueueOptions& queue,
                             std::int64_t max_batch_size,
                             Clock::time_point now,
                             std::vector<Refused>& refused) {
    max_batch_size_ = max_batch_size == 0 ? options_.max_batch_size : max_batch_size;
    std::int64_t max_rows = options_.max_rows;
    if (max_batch_size_ > 0) max_rows = std::min(max_rows, max_batch_size_);
    auto policy = make_policy(queue, max_rows, options_.service_times, now, options_.sizes_vary);
    policy->take_over(*policy_, refused);
    policy_ = std::move(policy);
    queue_ = queue;
}

Clock::duration Dispatcher::forecast(std::int64_t rows,
                                     std::size_t row_bytes,
                                     Clock::time_point now) {
    return policy_->forecast(rows, row_bytes, moment(now, cores_.free_at(now)));
}

Moment Dispatcher::moment(Clock::time_point now, Clock::time_point idle) {
    for (std::size_t i = 0; i < instances_.size(); ++i) {
        // One that is overdue is busy all the same.
        const Clock::time_point soon = now + std::chrono::microseconds(1);
        free_at_[i] = instances_[i].busy ? std::max(instances_[i].ends, soon) : idle;
    }
    return {now, free_at_, cores_.usual_share(now)};
}

}  // namespace lepton::scheduler
