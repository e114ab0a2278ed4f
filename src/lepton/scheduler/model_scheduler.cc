#include "lepton/scheduler/model_scheduler.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "lepton/core/check.h"
#include "lepton/model/match_request.h"

namespace lepton::scheduler {
namespace {

// Views of the outputs die with the instance's next run, and these cross to the loop's thread.
void keep_outputs(InferCall& call) {
    try {
        call.keep_outputs();
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

struct ModelScheduler::Instance final : CallSink {
    Instance(ModelScheduler& of,
             engine::Session& session,
             const ModelSpec& spec,
             const RunLimits& limits)
        : owner(of), runner(session, spec, limits) {}
    void ran(std::int64_t rows, Clock::duration took) override { owner.on_run(*this, rows, took); }
    void done(InferCall& call) override { owner.done(call); }

    ModelScheduler& owner;
    BatchRunner runner;
    Calls batch;  // Of whoever made the instance busy.
    // Guarded by the scheduler's mutex_, the thread until the end.
    bool busy = false;
    bool handed_over = false;  // `batch` is the thread's to run.
    bool stop = false;
    CoreSeat::Held cores;
    LatencyModel* latency = nullptr;  // Of its batch, like the next two; the policy's.
    Clock::duration predicted{};
    Clock::time_point free_at;                // As predicted, while busy.
    Clock::time_point look_at = kNoDeadline;  // When the idle thread asks the policy again.
    int active = 1;  // Instances that were busy when its batch began, itself included.
    std::condition_variable wake;
    std::thread thread;  // Started with the first batch that is too long for a loop.
};

struct ModelScheduler::TurnEnd final : Task {
    explicit TurnEnd(ModelScheduler& of) : owner(of) {}
    // NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
    void run() noexcept override {
        const std::shared_ptr<ModelScheduler> alive = std::move(keep);
        owner.dispatch(*loop);
    }

    ModelScheduler& owner;
    EventLoop* loop = nullptr;
    std::shared_ptr<ModelScheduler> keep;  // Set while scheduled.
};

struct ModelScheduler::WakeUp final : Task {
    explicit WakeUp(ModelScheduler& of) : owner(of) {}
    // NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
    void run() noexcept override {
        const std::shared_ptr<ModelScheduler> alive = keep;
        if (--scheduled == 0) keep.reset();
        owner.on_wake_up(*this);
    }

    ModelScheduler& owner;
    EventLoop* loop = nullptr;
    Clock::time_point due = kNoDeadline;  // Earliest time for which it is scheduled.
    int scheduled = 0;
    std::shared_ptr<ModelScheduler> keep;  // Set while scheduled.
};

ModelScheduler::ModelScheduler(std::shared_ptr<model::LoadedModel> model,
                               std::shared_ptr<observe::ModelMetrics> metrics,
                               int loops,
                               std::shared_ptr<SharedCores> cores,
                               const RunLimits& limits)
    : model_(std::move(model)),
      metrics_(std::move(metrics)),
      answer_bound_(*model_->spec, limits.max_answer_bytes),
      cores_(std::move(cores),
             model_->queue.weight,
             model_->threads,
             static_cast<int>(model_->sessions.size()),
             metrics_->core_wait),
      queue_(model_->queue),
      max_batch_size_(model_->spec->max_batch_size),
      free_at_(model_->sessions.size()) {
    for (int i = 0; i < loops; ++i) {
        turn_ends_.push_back(std::make_unique<TurnEnd>(*this));
        wake_ups_.push_back(std::make_unique<WakeUp>(*this));
    }
    for (const auto& session : model_->sessions) {
        instances_.push_back(std::make_unique<Instance>(*this, *session, *model_->spec, limits));
    }
    policy_ = make_policy(queue_,
                          instances_.front()->runner.max_rows(),
                          model_->service_times,
                          Clock::now(),
                          sizes_vary(*model_->spec));
}

ModelScheduler::~ModelScheduler() {
    for (const auto& instance : instances_) LEPTON_CHECK(!instance->thread.joinable());
}

bool ModelScheduler::submit(InferCall& call) {
    metrics_->pending.fetch_add(1, std::memory_order_relaxed);
    call.response.model = model_->spec;
    call.on_written = [](InferCall& written) noexcept {
        static_cast<ModelScheduler*>(written.route.get())->count(written);
    };
    call.on_cancelled = [](InferCall& gone) noexcept {
        try {
            static_cast<ModelScheduler*>(gone.route.get())->cancel(gone);
        } catch (const std::exception&) {
            // No memory to look for it: it ends when its turn comes.
            gone.cancelled.store(true, std::memory_order_relaxed);
        }
    };
    std::vector<Refused> refused;
    Result<> admitted = model::match_request(*model_->spec, call);
    if (admitted) admitted = answer_bound_.check(call.request, call.rows);
    {
        const MutexLock lock(mutex_);
        if (closed_) {
            metrics_->pending.fetch_sub(1, std::memory_order_relaxed);
            call.response.model.reset();
            call.on_written = nullptr;
            call.on_cancelled = nullptr;
            return false;
        }
        if (admitted) admitted = admit(call, refused);
    }
    finish(refused);
    if (!admitted) {
        call.complete(std::move(admitted).error());
    } else if (call.loop == nullptr) {
        dispatch_without_loop(call.caller_waits);
    } else {
        dispatch_at_turn_end(*call.loop);
    }
    return true;
}

void ModelScheduler::dispatch_at_turn_end(EventLoop& loop) {
    TurnEnd& turn_end = *turn_ends_[static_cast<std::size_t>(loop.index())];
    if (turn_end.keep != nullptr) return;  // Scheduled already.
    turn_end.keep = shared_from_this();
    turn_end.loop = &loop;
    loop.at_turn_end(turn_end);
}

Result<> ModelScheduler::admit(InferCall& call, std::vector<Refused>& refused) {
    LEPTON_CHECK_OK(check_rows(call));
    Request& request = call.request;
    if (request.deadline == kNoDeadline && queue_.default_timeout > Clock::duration::zero()) {
        request.deadline = call.timeline.begun + queue_.default_timeout;
    }
    const Clock::time_point now = Clock::now();
    const Moment at = moment(now, cores_.free_at(now));
    call.queued_behind = policy_->waiting();
    if (auto admitted = policy_->admit(call, at, refused); !admitted) {
        admitted.error().message.insert(0, "model \"" + spec()->name + "\": ");
        return admitted;
    }
    call.timeline.admitted = now;
    ++open_calls_;
    return {};
}

// match_request() knows the bound with which the model was loaded; this is the one in force.
Result<> ModelScheduler::check_rows(const InferCall& call) const {
    if (max_batch_size_ == 0 || call.rows <= max_batch_size_) return {};
    return fail(ErrorCode::kInvalidArgument,
                "the request has " + std::to_string(call.rows) + " rows, model \"" + spec()->name +
                    "\" allows at most " + std::to_string(max_batch_size_));
}

void ModelScheduler::reconfigure(const model::QueueOptions& options, std::int64_t max_batch_size) {
    if (max_batch_size == 0) max_batch_size = spec()->max_batch_size;
    std::int64_t max_rows = instances_.front()->runner.max_rows();
    if (max_batch_size > 0) max_rows = std::min(max_rows, max_batch_size);
    std::vector<Refused> refused;
    bool waiting = false;
    {
        const MutexLock lock(mutex_);
        auto policy = make_policy(
            options, max_rows, model_->service_times, Clock::now(), sizes_vary(*spec()));
        policy->take_over(*policy_, refused);
        policy_ = std::move(policy);
        queue_ = options;
        cores_.set_weight(options.weight);
        max_batch_size_ = max_batch_size;
        waiting = !policy_->empty();
    }
    finish(refused);
    // What the old policy held back may be wanted now.
    if (waiting) dispatch_without_loop(false);
}

Moment ModelScheduler::moment(Clock::time_point now, Clock::time_point idle) {
    for (std::size_t i = 0; i < instances_.size(); ++i) {
        // One that is overdue is busy all the same.
        const Clock::time_point soon = now + std::chrono::microseconds(1);
        free_at_[i] = instances_[i]->busy ? std::max(instances_[i]->free_at, soon) : idle;
    }
    return {now, free_at_, cores_.usual_share(now)};
}

// Gives queued calls to idle instances. Only one short batch a turn runs here, so that what has
// arrived meanwhile is read before the next one is formed.
void ModelScheduler::dispatch(EventLoop& loop) {
    std::vector<Refused> refused;
    while (true) {
        const Assignment next = assign(refused);
        follow_up(refused);
        if (next.instance == nullptr) {
            if (next.look_at != kNoDeadline) wake_at(loop, next.look_at);
            return;
        }
        if (next.long_run) {
            next.instance->wake.notify_one();
            continue;
        }
        next.instance->runner.run(next.instance->batch, *next.instance);
        bool more = false;
        {
            const MutexLock lock(mutex_);
            next.instance->busy = false;
            cores_.give_back(next.instance->cores);
            more = !policy_->empty();
        }
        follow_up(refused);
        if (more) dispatch_at_turn_end(loop);
        return;
    }
}

void ModelScheduler::dispatch_without_loop(bool caller_waits) {
    // The batch may complete the call that brought us here, and with it drop us.
    const std::shared_ptr<ModelScheduler> alive = shared_from_this();
    std::vector<Refused> refused;
    const Assignment next = assign(refused, caller_waits);
    follow_up(refused);
    if (next.instance == nullptr) {
        if (next.idle != nullptr && next.look_at != kNoDeadline)
            look_later(*next.idle, next.look_at);
        return;
    }
    Instance& instance = *next.instance;
    if (next.long_run) return instance.wake.notify_one();
    instance.runner.run(instance.batch, instance);
    // What has queued up meanwhile goes to the instance's thread: whoever queued it does not wait
    // for us to come back, nor we for its run.
    bool waiting = false;
    {
        const MutexLock lock(mutex_);
        look(instance, refused);
        waiting = instance.handed_over || instance.look_at != kNoDeadline;
        if (waiting) start_thread(instance);
    }
    if (waiting) instance.wake.notify_one();
    follow_up(refused);
}

ModelScheduler::Assignment ModelScheduler::assign(std::vector<Refused>& refused,
                                                  bool any_length_here) {
    const MutexLock lock(mutex_);
    Assignment next;
    if (policy_->empty()) return next;
    for (const auto& instance : instances_) {
        if (instance->busy) continue;
        next.look_at = take_batch(*instance, refused);
        (instance->busy ? next.instance : next.idle) = instance.get();
        break;
    }
    if (next.instance == nullptr) {
        if (!policy_->empty()) {
            next.look_at = std::min(next.look_at, policy_->earliest_expiry());
        }
        return next;
    }
    Instance& instance = *next.instance;
    next.long_run = !any_length_here && instance.predicted > kInlineLimit;
    instance.handed_over = next.long_run;
    // Here, where nobody else looks: a thread that is quick frees the instance for the next caller.
    if (next.long_run) start_thread(instance);
    return next;
}

Clock::time_point ModelScheduler::take_batch(Instance& instance, std::vector<Refused>& refused) {
    instance.batch.clear();
    instance.busy = false;
    cores_.give_back(instance.cores);
    if (policy_->empty()) return kNoDeadline;
    // A run that stays on a loop is over before anybody could make use of its core.
    const Clock::time_point now = Clock::now();
    const CoreSeat::Answer cores =
        cores_.ask(*policy_, kInlineLimit, weak_from_this(), now, instance.cores);
    if (!cores.granted) return cores.ask_again;
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
    instance.latency = &policy_->latency_of(*instance.batch.front(), at.now);
    instance.predicted = instance.latency->typical(rows, instance.active);
    instance.free_at = at.now + instance.predicted;
    cores_.expect(instance.cores, instance.free_at);
    return kNoDeadline;
}

void ModelScheduler::on_cores_free() {
    std::vector<Refused> refused;
    {
        const MutexLock lock(mutex_);
        for (const auto& instance : instances_) {
            if (instance->busy) continue;
            look(*instance, refused);
            if (instance->handed_over || instance->look_at != kNoDeadline) {
                start_thread(*instance);
                instance->wake.notify_one();
            }
            if (!instance->handed_over) break;
        }
    }
    finish(refused);
}

void ModelScheduler::look(Instance& instance, std::vector<Refused>& refused) {
    instance.look_at = take_batch(instance, refused);
    instance.handed_over = instance.busy;
}

void ModelScheduler::look_later(Instance& instance, Clock::time_point when) {
    {
        const MutexLock lock(mutex_);
        instance.look_at = std::min(instance.look_at, when);
        start_thread(instance);
    }
    instance.wake.notify_one();
}

void ModelScheduler::on_run(Instance& instance, std::int64_t rows, Clock::duration took) {
    Clock::duration predicted;
    {
        const MutexLock lock(mutex_);
        predicted = instance.latency->typical(rows, instance.active);
        instance.latency->observe(rows, took, Clock::now(), instance.active);
        instance.cores.computed += took;
    }
    metrics_->core_nanoseconds.fetch_add(static_cast<std::uint64_t>(took.count() * model_->threads),
                                         std::memory_order_relaxed);
    metrics_->on_run(rows, predicted, took);
}

void ModelScheduler::start_thread(Instance& instance) {
    if (instance.thread.joinable()) return;
    instance.thread = std::thread([this, &instance] { serve(instance); });
    ::pthread_setname_np(instance.thread.native_handle(), "instance");
}

void ModelScheduler::serve(Instance& instance) {
    std::vector<Refused> refused;
    while (wait_for_batch(instance, refused)) {
        instance.runner.run(instance.batch, instance);
        {
            // What has come in meanwhile is ours, whoever read it: nobody else will look again.
            const MutexLock lock(mutex_);
            look(instance, refused);
        }
        follow_up(refused);
    }
}

bool ModelScheduler::wait_for_batch(Instance& instance, std::vector<Refused>& refused) {
    while (true) {
        bool looked = false;
        {
            MutexLock lock(mutex_);
            while (!instance.handed_over && !looked) {
                if (instance.stop) return false;
                if (instance.busy || instance.look_at == kNoDeadline) {
                    instance.wake.wait(lock.native());
                } else if (Clock::now() < instance.look_at) {
                    instance.wake.wait_until(lock.native(), instance.look_at);
                } else {
                    look(instance, refused);
                    looked = true;
                }
            }
            if (instance.handed_over && refused.empty()) return true;
        }
        follow_up(refused);
    }
}

void ModelScheduler::wake_at(EventLoop& loop, Clock::time_point when) {
    WakeUp& wake_up = *wake_ups_[static_cast<std::size_t>(loop.index())];
    if (wake_up.due <= when) return;
    wake_up.due = when;
    wake_up.loop = &loop;
    wake_up.keep = shared_from_this();
    ++wake_up.scheduled;
    loop.run_at(when, wake_up);
}

void ModelScheduler::on_wake_up(WakeUp& wake_up) {
    wake_up.due = kNoDeadline;
    std::vector<Refused> refused;
    {
        const MutexLock lock(mutex_);
        policy_->expire(Clock::now(), refused);
    }
    finish(refused);
    dispatch(*wake_up.loop);
}

void ModelScheduler::cancel(InferCall& call) {
    std::vector<Refused> refused;
    {
        const MutexLock lock(mutex_);
        policy_->cancel(call, refused);
    }
    finish(refused);
}

void ModelScheduler::expire() {
    std::vector<Refused> refused;
    {
        const MutexLock lock(mutex_);
        policy_->expire(Clock::now(), refused);
    }
    finish(refused);
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
    cores_.wake_next();
}

void ModelScheduler::done(InferCall& call) {
    if (call.loop != nullptr && !call.loop->on_loop_thread()) keep_outputs(call);
    std::optional<bool> in_time;
    if (call.request.deadline != kNoDeadline) {
        in_time = call.timeline.compute_end <= call.request.deadline;
    }
    finish(call, in_time);
}

void ModelScheduler::finish(InferCall& call, std::optional<bool> in_time) {
    // The call may drop the last reference to us, and must not be touched once it is complete.
    const std::shared_ptr<ModelScheduler> alive = shared_from_this();
    call.complete();
    bool last = false;
    {
        const MutexLock lock(mutex_);
        if (in_time) policy_->answered(*in_time);
        last = --open_calls_ == 0 && closed_;
    }
    if (last) all_done_.notify_all();
}

// Runs when the answer was written: the last station of the call's timeline.
void ModelScheduler::count(const InferCall& call) {
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

void ModelScheduler::close() {
    {
        const MutexLock lock(mutex_);
        closed_ = true;
    }
    wait_and_join();
}

void ModelScheduler::abandon() {
    Calls queued;
    {
        const MutexLock lock(mutex_);
        closed_ = true;
        policy_->clear(queued);
    }
    for (InferCall* call : queued) {
        call->response.error = {ErrorCode::kUnavailable, "the server is stopping"};
        finish(*call);
    }
    wait_and_join();
    // Scheduled on loops that will not run them.
    for (const auto& turn_end : turn_ends_) turn_end->keep.reset();
    for (const auto& wake_up : wake_ups_) wake_up->keep.reset();
}

void ModelScheduler::wait_and_join() {
    {
        MutexLock lock(mutex_);
        while (open_calls_ > 0) all_done_.wait(lock.native());
        for (const auto& instance : instances_) instance->stop = true;
    }
    for (const auto& instance : instances_) {
        instance->wake.notify_one();
        if (instance->thread.joinable()) instance->thread.join();
    }
    cores_.leave();
}

}  // namespace lepton::scheduler
