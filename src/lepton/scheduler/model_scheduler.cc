#include "lepton/scheduler/model_scheduler.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "lepton/model/match_request.h"

namespace lepton::scheduler {
namespace {

// Views of the outputs die with the instance's next run, and these cross to the loop's thread.
void keep_outputs(InferCall& call) {
    try {
        call.response.keep();
    } catch (const std::bad_alloc&) {
        call.response.error = Error{ErrorCode::kUnavailable, "no memory left for the answer"};
    }
}

// Whether requests may be of another size than what the warm-up made up: by any open axis but the
// one that counts rows, or by strings.
bool sizes_vary(const ModelSpec& spec) {
    return std::any_of(spec.inputs.begin(), spec.inputs.end(), [&spec](const TensorSpec& input) {
        const Shape size = spec.batches ? input.shape.row() : input.shape;
        return input.dtype == DataType::kBytes || !size.is_static();
    });
}

}  // namespace

ModelScheduler::ModelScheduler(std::shared_ptr<model::LoadedModel> model,
                               std::shared_ptr<observe::ModelMetrics> metrics,
                               int loops,
                               std::shared_ptr<SharedCores> cores,
                               const RunLimits& limits)
    : model_(std::move(model)),
      metrics_(std::move(metrics)),
      answer_bound_(*model_->spec, limits.max_answer_bytes) {
    LoopUser& on_loops = *this;
    for (int i = 0; i < loops; ++i) loops_.push_back(std::make_shared<LoopWork>(on_loops));
    InstanceOwner& of_instances = *this;
    for (const auto& session : model_->sessions) {
        instances_.push_back(std::make_unique<Instance>(
            of_instances, mutex_, instances_.size(), *session, *model_->spec, limits));
    }
    if (cores != nullptr) {
        seat_ = std::make_unique<SharedSeat>(std::move(cores),
                                             model_->queue.weight,
                                             model_->demand().units,
                                             static_cast<int>(instances_.size()),
                                             *this);
    }
    dispatcher_.emplace(
        dispatcher_options(*model_, instances_.front()->max_rows()), seat_.get(), Clock::now());
}

ModelScheduler::~ModelScheduler() = default;

Dispatcher::Options ModelScheduler::dispatcher_options(const model::LoadedModel& model,
                                                       std::int64_t max_rows) {
    return {.model = model.spec->name,
            .queue = model.queue,
            .service_times = model.service_times,
            .sizes_vary = sizes_vary(*model.spec),
            .max_rows = max_rows,
            .max_batch_size = model.spec->max_batch_size,
            .instances = model.sessions.size()};
}

bool ModelScheduler::submit(InferCall& call) {
    metrics_->pending.fetch_add(1, std::memory_order_relaxed);
    call.response.model = model_->spec;
    std::vector<Refused> refused;
    Result<> admitted = model::match_request(*model_->spec, call);
    if (admitted) admitted = answer_bound_.check(call.request, call.rows);
    {
        const MutexLock lock(mutex_);
        if (closed_) {
            metrics_->pending.fetch_sub(1, std::memory_order_relaxed);
            call.response.model.reset();
            return false;
        }
        call.push(std::shared_ptr<CallStage>(shared_from_this(), this));
        if (admitted) admitted = dispatcher_->admit(call, Clock::now(), refused);
        if (admitted) ++open_calls_;
    }
    finish(refused);
    if (!admitted) {
        call.answer(std::move(admitted).error());
    } else if (call.loop == nullptr) {
        dispatch_without_loop(call.caller_waits);
    } else {
        work_of(*call.loop).at_turn_end(*call.loop);
    }
    return true;
}

void ModelScheduler::reconfigure(const model::QueueOptions& options, std::int64_t max_batch_size) {
    std::vector<Refused> refused;
    bool waiting = false;
    {
        const MutexLock lock(mutex_);
        dispatcher_->reconfigure(options, max_batch_size, Clock::now(), refused);
        waiting = dispatcher_->waiting() > 0;
    }
    if (seat_ != nullptr) seat_->set_weight(options.weight);
    finish(refused);
    // What the old policy held back may be wanted now.
    if (waiting) dispatch_without_loop(false);
}

LoopWork& ModelScheduler::work_of(const EventLoop& loop) {
    return *loops_[static_cast<std::size_t>(loop.index())];
}

// Gives queued calls to idle instances. Only one short batch a turn runs here, so that what has
// arrived meanwhile is read before the next one is formed.
void ModelScheduler::work_on(EventLoop& loop) {
    std::vector<Refused> refused;
    while (true) {
        const Assignment next = assign(kInlineLimit, refused);
        follow_up(refused);
        if (next.instance == nullptr) {
            if (next.look_at != kNoDeadline) work_of(loop).at(loop, next.look_at);
            return;
        }
        if (next.handed_over) {
            next.instance->wake();
            continue;
        }
        next.instance->run(next.batch);
        bool more = false;
        bool drained = false;
        {
            const MutexLock lock(mutex_);
            drained = release(*next.instance);
            more = dispatcher_->waiting() > 0;
        }
        follow_up(refused);
        if (drained) on_drained();
        if (more) work_of(loop).at_turn_end(loop);
        return;
    }
}

void ModelScheduler::dispatch_without_loop(bool caller_waits) {
    // The batch may complete the call that brought us here, and with it drop us.
    const auto alive = shared_from_this();
    std::vector<Refused> refused;
    const Assignment next = assign(caller_waits ? Clock::duration::max() : kInlineLimit, refused);
    follow_up(refused);
    if (next.instance == nullptr) {
        if (next.idle == nullptr || next.look_at == kNoDeadline) return;
        {
            const MutexLock lock(mutex_);
            next.idle->look_at(next.look_at);
        }
        return next.idle->wake();
    }
    if (next.handed_over) return next.instance->wake();
    next.instance->run(next.batch);
    // What has queued up meanwhile goes to the instance's thread: whoever queued it does not wait
    // for us to come back, nor we for its run.
    bool drained = false;
    {
        const MutexLock lock(mutex_);
        drained = release(*next.instance);
        hand_over_next(refused, nullptr, next.instance->index());
    }
    follow_up(refused);
    if (drained) on_drained();
}

Dispatcher::Next ModelScheduler::next(std::vector<Refused>& refused, std::size_t first) {
    const Dispatcher::Next next = dispatcher_->next(Clock::now(), refused, first);
    if (next.waited_for_cores) metrics_->core_wait.observe(*next.waited_for_cores);
    return next;
}

ModelScheduler::Assignment ModelScheduler::assign(Clock::duration longest,
                                                  std::vector<Refused>& refused) {
    const MutexLock lock(mutex_);
    Assignment found;
    if (dispatcher_->waiting() == 0) return found;
    const Dispatcher::Next said = next(refused);
    if (!said.instance) {
        found.look_at = said.look_at;
        if (said.idle) found.idle = instances_[*said.idle].get();
        return found;
    }
    found.instance = instances_[*said.instance].get();
    found.batch = dispatcher_->batch_of(*said.instance);
    found.handed_over = said.predicted > longest;
    // Here, where nobody else looks: a thread that is quick frees the instance for the next caller.
    if (found.handed_over) found.instance->hand_over(found.batch);
    return found;
}

bool ModelScheduler::hand_over_next(std::vector<Refused>& refused,
                                    const Instance* self,
                                    std::size_t first) {
    if (dispatcher_->waiting() == 0) return false;
    const Dispatcher::Next said = next(refused, first);
    const bool later = said.idle && said.look_at != kNoDeadline;
    if (!said.instance && !later) return false;
    Instance& chosen = *instances_[said.instance ? *said.instance : *said.idle];
    if (said.instance) {
        chosen.hand_over(dispatcher_->batch_of(chosen.index()));
    } else {
        chosen.look_at(said.look_at);
    }
    if (&chosen != self) chosen.wake();
    return said.instance.has_value();
}

void ModelScheduler::on_idle(Instance& instance, bool ran) {
    std::vector<Refused> refused;
    bool drained = false;
    {
        // What has come in meanwhile is ours, whoever read it: nobody else will look again.
        const MutexLock lock(mutex_);
        if (ran) drained = release(instance);
        hand_over_next(refused, &instance, instance.index());
    }
    follow_up(refused);
    if (drained) on_drained();
}

void ModelScheduler::on_cores_free() {
    std::vector<Refused> refused;
    {
        const MutexLock lock(mutex_);
        while (hand_over_next(refused)) {
        }
    }
    finish(refused);
}

void ModelScheduler::on_run(Instance& instance,
                            std::int64_t rows,
                            Clock::duration took,
                            Clock::time_point ended) {
    Clock::duration predicted;
    {
        const MutexLock lock(mutex_);
        predicted = dispatcher_->ran(instance.index(), rows, took, ended);
    }
    metrics_->core_nanoseconds.fetch_add(static_cast<std::uint64_t>(took.count() * model_->threads),
                                         std::memory_order_relaxed);
    metrics_->on_run(rows, predicted, took);
}

void ModelScheduler::on_cancelled(InferCall& call) noexcept {
    try {
        std::vector<Refused> refused;
        {
            const MutexLock lock(mutex_);
            dispatcher_->cancel(call, refused);
        }
        finish(refused);
    } catch (const std::exception&) {
        // No memory to look for it: it ends when its turn comes.
        call.cancelled.store(true, std::memory_order_relaxed);
    }
}

void ModelScheduler::expire(InferCall& /*call*/) {
    std::vector<Refused> refused;
    {
        const MutexLock lock(mutex_);
        dispatcher_->expire(Clock::now(), refused);
    }
    finish(refused);
}

Clock::duration ModelScheduler::forecast(std::int64_t rows, std::size_t row_bytes) {
    const MutexLock lock(mutex_);
    return dispatcher_->forecast(rows, row_bytes, Clock::now());
}

void ModelScheduler::finish(std::vector<Refused>& refused) {
    for (Refused& one : refused) {
        one.call->response.error = std::move(one.error);
        finish(*one.call);
    }
    refused.clear();
}

void ModelScheduler::follow_up(std::vector<Refused>& refused) {
    finish(refused);
    if (seat_ != nullptr) seat_->wake_next();
}

void ModelScheduler::on_computed(InferCall& call) {
    if (call.loop != nullptr && !call.loop->on_loop_thread()) keep_outputs(call);
    std::optional<bool> in_time;
    if (call.request.deadline != kNoDeadline) {
        in_time = call.timeline.compute_end <= call.request.deadline;
    }
    finish(call, in_time);
}

void ModelScheduler::finish(InferCall& call, std::optional<bool> in_time) {
    // The call may drop the last reference to us, and must not be touched once it is complete.
    const auto alive = shared_from_this();
    call.answer();
    bool drained = false;
    {
        const MutexLock lock(mutex_);
        if (in_time) dispatcher_->answered(*in_time);
        --open_calls_;
        drained = is_drained();
    }
    if (drained) on_drained();
}

bool ModelScheduler::release(const Instance& instance) {
    dispatcher_->release(instance.index());
    return is_drained();
}

// An instance is busy for a moment after its last call is complete, and has cores to give back.
bool ModelScheduler::is_drained() const {
    return closed_ && open_calls_ == 0 && !dispatcher_->is_any_busy();
}

void ModelScheduler::on_drained() {
    std::function<void()> on_drained;
    {
        const MutexLock lock(mutex_);
        on_drained = std::exchange(on_drained_, nullptr);
    }
    all_done_.notify_all();
    if (on_drained) on_drained();
}

void ModelScheduler::on_written(const InferCall& call) noexcept {
    metrics_->pending.fetch_sub(1, std::memory_order_relaxed);
    ErrorCode code = ErrorCode::kInternal;
    if (call.response.error) code = call.response.error->code;
    const bool gone = call.cancelled.load(std::memory_order_relaxed);
    if (gone) code = ErrorCode::kCancelled;
    metrics_->on_finished(call.timeline,
                          call.request.deadline,
                          call.response.error || gone ? &code : nullptr,
                          call.rows);
}

bool ModelScheduler::drain(std::function<void()> on_drained) {
    const MutexLock lock(mutex_);
    closed_ = true;
    if (is_drained()) return true;
    on_drained_ = std::move(on_drained);
    return false;
}

void ModelScheduler::join() {
    for (const auto& instance : instances_) instance->join();
    if (seat_ != nullptr) seat_->leave(Clock::now());
}

void ModelScheduler::close() {
    {
        MutexLock lock(mutex_);
        closed_ = true;
        while (!is_drained()) all_done_.wait(lock.native());
    }
    join();
}

void ModelScheduler::refuse_queued() {
    std::vector<InferCall*> queued;
    {
        const MutexLock lock(mutex_);
        closed_ = true;
        dispatcher_->clear(queued);
    }
    for (InferCall* call : queued) {
        call->response.error = {ErrorCode::kUnavailable, "the server is stopping"};
        finish(*call);
    }
}

}  // namespace lepton::scheduler
