#include "lepton/scheduler/model_scheduler.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "lepton/core/check.h"
#include "lepton/scheduler/match_request.h"

namespace lepton::scheduler {
namespace {

Error expired(const InferCall& call, Clock::time_point now) {
    const auto late =
        std::chrono::duration_cast<std::chrono::microseconds>(now - call.request.deadline);
    return {ErrorCode::kDeadlineExceeded,
            "deadline passed " + std::to_string(late.count()) + " us ago, before the request ran"};
}

// Views of the outputs die with the instance's next run; the copy crosses to the loop's thread.
void copy_outputs(InferCall& call) {
    std::size_t bytes = 0;
    for (const OutputTensor& output : call.response.outputs) bytes += output.tensor.data.size();
    if (call.outputs_copy.size() < bytes) call.outputs_copy.resize(bytes);
    std::byte* next = call.outputs_copy.data();
    for (OutputTensor& output : call.response.outputs) {
        const std::size_t size = output.tensor.data.size();
        if (size > 0) std::memcpy(next, output.tensor.data.data(), size);
        output.tensor.data = {next, size};
        next += size;
    }
}

}  // namespace

struct ModelScheduler::Instance {
    Instance(engine::Session& session, const ModelSpec& spec) : runner(session, spec) {}

    BatchRunner runner;
    Calls batch;  // Of whoever made the instance busy.
    // Guarded by the scheduler's mutex_, the thread until the end.
    bool busy = false;
    bool handed_over = false;  // `batch` is the thread's to run.
    bool stop = false;
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

struct ModelScheduler::Expiry final : Task {
    explicit Expiry(ModelScheduler& of) : owner(of) {}
    // NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
    void run() noexcept override {
        const std::shared_ptr<ModelScheduler> alive = keep;
        if (--scheduled == 0) keep.reset();
        owner.on_expiry(*this);
    }

    ModelScheduler& owner;
    EventLoop* loop = nullptr;
    Clock::time_point due = kNoDeadline;  // Earliest time for which it is scheduled.
    int scheduled = 0;
    std::shared_ptr<ModelScheduler> keep;  // Set while scheduled.
};

ModelScheduler::ModelScheduler(std::shared_ptr<model::LoadedModel> model,
                               std::shared_ptr<observe::ModelMetrics> metrics,
                               int loops)
    : model_(std::move(model)),
      metrics_(std::move(metrics)),
      queue_(model_->queue.max_queued_requests),
      latency_(model_->service_times) {
    for (int i = 0; i < loops; ++i) {
        turn_ends_.push_back(std::make_unique<TurnEnd>(*this));
        expiries_.push_back(std::make_unique<Expiry>(*this));
    }
    for (const auto& session : model_->sessions) {
        instances_.push_back(std::make_unique<Instance>(*session, *model_->spec));
    }
}

ModelScheduler::~ModelScheduler() {
    for (const auto& instance : instances_) LEPTON_CHECK(!instance->thread.joinable());
}

void ModelScheduler::submit(InferCall& call) {
    metrics_->pending.fetch_add(1, std::memory_order_relaxed);
    call.response.model = model_->spec;
    call.on_written = [](InferCall& written) noexcept {
        static_cast<ModelScheduler*>(written.route.get())->count(written);
    };
    if (Result<> admitted = admit(call); !admitted) {
        call.response.error = std::move(admitted).error();
        return call.complete();
    }
    if (call.loop == nullptr) return dispatch_without_loop(call.caller_waits);
    dispatch_at_turn_end(*call.loop);
}

void ModelScheduler::dispatch_at_turn_end(EventLoop& loop) {
    TurnEnd& turn_end = *turn_ends_[static_cast<std::size_t>(loop.index())];
    if (turn_end.keep != nullptr) return;  // Scheduled already.
    turn_end.keep = shared_from_this();
    turn_end.loop = &loop;
    loop.at_turn_end(turn_end);
}

Result<> ModelScheduler::admit(InferCall& call) {
    LEPTON_CHECK_OK(match_request(*model_->spec, call));
    Request& request = call.request;
    if (const auto timeout = model_->queue.default_timeout;
        request.deadline == kNoDeadline && timeout > Clock::duration::zero()) {
        request.deadline = call.timeline.received + timeout;
    }
    if (request.deadline != kNoDeadline) {
        if (const auto now = Clock::now(); request.deadline <= now) {
            return tl::unexpected<Error>(expired(call, now));
        }
    }
    const MutexLock lock(mutex_);
    if (closed_) {
        return fail(ErrorCode::kUnavailable, "model \"" + spec()->name + "\" is being unloaded");
    }
    if (auto pushed = queue_.push(call); !pushed) {
        return fail(ErrorCode::kQueueFull,
                    "model \"" + spec()->name + "\": " + pushed.error().message);
    }
    ++open_calls_;
    return {};
}

// Gives queued calls to idle instances. Only one short batch a turn runs here, so that what has
// arrived meanwhile is read before the next one is formed.
void ModelScheduler::dispatch(EventLoop& loop) {
    Calls dropped;
    while (true) {
        const Assignment next = assign(dropped);
        drop(dropped);
        if (next.instance == nullptr) {
            if (next.earliest != kNoDeadline) watch_expiry(loop, next.earliest);
            return;
        }
        if (next.long_run) {
            next.instance->wake.notify_one();
            continue;
        }
        run_batch(*next.instance);
        bool more = false;
        {
            const MutexLock lock(mutex_);
            next.instance->busy = false;
            more = !queue_.empty();
        }
        if (more) dispatch_at_turn_end(loop);
        return;
    }
}

void ModelScheduler::dispatch_without_loop(bool caller_waits) {
    // The batch may complete the call that brought us here, and with it drop us.
    const std::shared_ptr<ModelScheduler> alive = shared_from_this();
    Calls dropped;
    const Assignment next = assign(dropped, caller_waits);
    drop(dropped);
    if (next.instance == nullptr) return;
    Instance& instance = *next.instance;
    if (next.long_run) return instance.wake.notify_one();
    run_batch(instance);
    bool more = false;
    {
        const MutexLock lock(mutex_);
        // Whoever queued these does not wait for us to come back, nor we for their runs.
        more = instance.handed_over = take_batch(instance, dropped);
        if (more) start_thread(instance);
    }
    if (more) instance.wake.notify_one();
    drop(dropped);
}

ModelScheduler::Assignment ModelScheduler::assign(Calls& dropped, bool any_length_here) {
    const MutexLock lock(mutex_);
    Assignment next;
    next.instance = claim(dropped);
    if (next.instance == nullptr) {
        if (!queue_.empty()) next.earliest = queue_.front().request.deadline;
        return next;
    }
    std::int64_t rows = 0;
    for (const InferCall* call : next.instance->batch) rows += call->rows;
    next.long_run = !any_length_here && latency_.predict(rows) > kInlineLimit;
    next.instance->handed_over = next.long_run;
    // Here, where nobody else looks: a thread that is quick frees the instance for the next caller.
    if (next.long_run) start_thread(*next.instance);
    return next;
}

ModelScheduler::Instance* ModelScheduler::claim(Calls& dropped) {
    if (queue_.empty()) return nullptr;
    for (const auto& instance : instances_) {
        if (instance->busy) continue;
        return take_batch(*instance, dropped) ? instance.get() : nullptr;
    }
    return nullptr;
}

bool ModelScheduler::take_batch(Instance& instance, Calls& dropped) {
    instance.batch.clear();
    queue_.pop_batch(instance.runner.max_rows(), Clock::now(), instance.batch, dropped);
    instance.busy = !instance.batch.empty();
    return instance.busy;
}

void ModelScheduler::run_batch(Instance& instance) {
    std::int64_t rows = 0;
    for (const InferCall* call : instance.batch) rows += call->rows;
    const Clock::duration took = instance.runner.run(instance.batch, *this);
    metrics_->on_batch(rows);
    const MutexLock lock(mutex_);
    latency_.observe(rows, took);
}

void ModelScheduler::start_thread(Instance& instance) {
    if (instance.thread.joinable()) return;
    instance.thread = std::thread([this, &instance] { serve(instance); });
    ::pthread_setname_np(instance.thread.native_handle(), "instance");
}

void ModelScheduler::serve(Instance& instance) {
    Calls dropped;
    while (true) {
        {
            MutexLock lock(mutex_);
            while (!instance.handed_over && !instance.stop) instance.wake.wait(lock.native());
            if (!instance.handed_over) return;
        }
        run_batch(instance);
        {
            const MutexLock lock(mutex_);
            // What has come in meanwhile is ours, whoever read it: nobody else will look again.
            instance.handed_over = take_batch(instance, dropped);
        }
        drop(dropped);
    }
}

void ModelScheduler::watch_expiry(EventLoop& loop, Clock::time_point deadline) {
    Expiry& expiry = *expiries_[static_cast<std::size_t>(loop.index())];
    if (expiry.due <= deadline) return;
    expiry.due = deadline;
    expiry.loop = &loop;
    expiry.keep = shared_from_this();
    ++expiry.scheduled;
    loop.run_at(deadline, expiry);
}

void ModelScheduler::on_expiry(Expiry& expiry) {
    expiry.due = kNoDeadline;
    Calls dropped;
    Clock::time_point earliest = kNoDeadline;
    {
        const MutexLock lock(mutex_);
        queue_.pop_expired(Clock::now(), dropped);
        if (!queue_.empty()) earliest = queue_.front().request.deadline;
    }
    drop(dropped);
    if (earliest != kNoDeadline) watch_expiry(*expiry.loop, earliest);
}

void ModelScheduler::expire() {
    Calls dropped;
    {
        const MutexLock lock(mutex_);
        queue_.pop_expired(Clock::now(), dropped);
    }
    drop(dropped);
}

void ModelScheduler::drop(Calls& dropped) {
    for (InferCall* call : dropped) {
        const bool gone = call->cancelled.load(std::memory_order_relaxed);
        call->response.error = gone ? Error{ErrorCode::kCancelled, "the client went away"}
                                    : expired(*call, Clock::now());
        finish(*call);
    }
    dropped.clear();
}

void ModelScheduler::done(InferCall& call) {
    if (call.loop != nullptr && !call.loop->on_loop_thread()) copy_outputs(call);
    finish(call);
}

void ModelScheduler::finish(InferCall& call) {
    // The call may drop the last reference to us, and must not be touched once it is complete.
    const std::shared_ptr<ModelScheduler> alive = shared_from_this();
    call.complete();
    bool last = false;
    {
        const MutexLock lock(mutex_);
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
    metrics_->on_finished(call.timeline, call.response.error || gone ? &code : nullptr, call.rows);
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
        while (!queue_.empty()) queued.push_back(&queue_.pop());
    }
    for (InferCall* call : queued) {
        call->response.error = {ErrorCode::kUnavailable, "the server is stopping"};
        finish(*call);
    }
    wait_and_join();
    // Scheduled on loops that will not run them.
    for (const auto& turn_end : turn_ends_) turn_end->keep.reset();
    for (const auto& expiry : expiries_) expiry->keep.reset();
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
}

}  // namespace lepton::scheduler
