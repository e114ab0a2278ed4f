#include "lepton/scheduler/policy.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "lepton/model/model_config.h"
#include "lepton/scheduler/deadline_policy.h"
#include "lepton/scheduler/fifo_policy.h"

namespace lepton::scheduler {
namespace {

Error client_is_gone() { return {ErrorCode::kCancelled, "the client went away"}; }

Error too_late(const QueuedCall& waiting, Clock::time_point now) {
    if (waiting.expires < waiting.deadline) {
        const std::chrono::duration<double, std::milli> longest = waiting.expires - waiting.arrived;
        return {ErrorCode::kDeadlineExceeded,
                "waited for " + std::to_string(longest.count()) + " ms, the bound of the queue"};
    }
    const std::chrono::duration<double, std::milli> late = now - waiting.deadline;
    return {ErrorCode::kDeadlineExceeded,
            "deadline exceeded " + std::to_string(late.count()) + " ms ago"};
}

// Of one that has been delayed; those of the same priority that have not come before it.
constexpr std::uint64_t kDelayed = 1;

bool is_cancelled(const QueuedCall& waiting) {
    return waiting.call->cancelled.load(std::memory_order_relaxed);
}

}  // namespace

Clock::time_point Moment::start() const {
    return std::max(now, *std::min_element(free_at.begin(), free_at.end()));
}

int Moment::active() const {
    return static_cast<int>(
        std::count_if(free_at.begin(), free_at.end(), [this](auto at) { return at > now; }));
}

Policy::Policy(const model::QueueOptions& options,
               std::int64_t max_rows,
               std::span<const model::ServiceTime> seeds,
               Clock::time_point now,
               bool sizes_vary)
    : options_(options), max_rows_(max_rows), latencies_(seeds, max_rows, now, sizes_vary) {}

Result<> Policy::check_bounds(const QueuedCall& call) const {
    std::size_t waiting = queue_.size();
    std::size_t most = options_.max_queued_requests;
    if (options_.policy == model::QueuePolicy::kFifo && options_.priority_levels > 0) {
        // Each priority has a queue of its own.
        if (waiting < model::kMostQueued) waiting = queue_.calls_of(call.priority);
        const auto level = options_.levels.find(call.priority);
        if (level != options_.levels.end()) most = level->second.max_queued_requests;
    }
    if (waiting >= most) {
        return fail(ErrorCode::kQueueFull,
                    "queue holds " + std::to_string(waiting) + " requests, its bound");
    }
    if (queue_.bytes() + call.bytes > options_.max_queued_bytes && !queue_.empty()) {
        return fail(ErrorCode::kQueueFull,
                    "queue holds " + std::to_string(queue_.bytes()) + " bytes, " +
                        std::to_string(call.bytes) + " more exceed its bound of " +
                        std::to_string(options_.max_queued_bytes));
    }
    return {};
}

Error Policy::busy(Error error, const Moment& at) const {
    const double rows_per_second =
        latencies_.last().capacity() * static_cast<double>(at.free_at.size());
    const std::chrono::duration<double> waiting(static_cast<double>(queue_.rows()) /
                                                rows_per_second);
    constexpr std::chrono::microseconds kLongest = std::chrono::minutes(1);
    const std::chrono::duration<double> wait = waiting + (at.start() - at.now);
    // Not std::min of what the cast makes of infinity.
    error.retry_after =
        wait < kLongest ? std::chrono::duration_cast<std::chrono::microseconds>(wait) : kLongest;
    return error;
}

QueuedCall Policy::describe(InferCall& call, Clock::time_point now) {
    QueuedCall waiting;
    waiting.deadline = call.request.deadline;
    waiting.arrived = now;
    waiting.rows = call.rows;
    for (const InputTensor& input : call.request.inputs) waiting.bytes += input.tensor.data.size();
    waiting.shape_class = call.shape_class;
    waiting.priority = priority_of(call.request);
    waiting.client = call.client;
    waiting.latency = &latency_of(call, now);
    waiting.call = &call;
    place(waiting);
    waiting.expires = expiry_of(waiting);
    if (waiting.deadline != kNoDeadline) {
        forecast_.arrived(waiting.deadline - now - waiting.latency->safe(waiting.rows), now);
    }
    return waiting;
}

std::uint32_t Policy::priority_of(const Request& request) const {
    const std::uint32_t levels = options_.priority_levels;
    const bool all_alike = levels == 0 && options_.policy == model::QueuePolicy::kFifo;
    const bool beyond = levels > 0 && request.priority > levels;
    return request.priority == 0 || beyond || all_alike ? options_.default_priority
                                                        : request.priority;
}

const model::WaitBound& Policy::wait_of(const QueuedCall& call) const {
    if (options_.levels.empty()) return options_.wait;
    const auto level = options_.levels.find(call.priority);
    return level == options_.levels.end() ? options_.wait : level->second.wait;
}

bool Policy::counts(const model::WaitBound& wait) const {
    return wait.longest > Clock::duration::zero() &&
           options_.default_timeout == Clock::duration::zero();
}

bool Policy::is_delayed_by_expiry(const QueuedCall& call) const {
    const model::WaitBound& wait = wait_of(call);
    return options_.policy == model::QueuePolicy::kFifo && wait.delays && counts(wait);
}

Clock::time_point Policy::expiry_of(const QueuedCall& call) const {
    const model::WaitBound& wait = wait_of(call);
    if (!counts(wait)) return call.deadline;
    const Clock::time_point bound = call.arrived + wait.longest;
    if (options_.policy != model::QueuePolicy::kFifo) {
        return wait.delays ? call.deadline : std::min(bound, call.deadline);
    }
    return wait.shortened ? std::min(bound, call.deadline) : bound;
}

Work Policy::work() const {
    constexpr std::size_t kLookedAt = 8;  // Those behind are due later.
    const auto calls = queue_.calls();
    const QueuedCall& first = calls.front();
    Work work;
    for (const QueuedCall& call : calls.first(std::min(calls.size(), kLookedAt))) {
        if (call.deadline == kNoDeadline) continue;
        work.latest_start =
            std::min(work.latest_start, call.deadline - call.latency->safe(call.rows));
    }
    work.shortest = first.latency->safe(first.rows);
    work.usual = std::max(first.latency->typical(first.rows),
                          first.latency->typical(std::min(queue_.rows(), max_rows_)));
    work.longest = std::max(work.shortest, work.usual);
    forecast_.fill(work);
    return work;
}

std::int64_t Policy::most_rows(const Moment& at) const {
    if (at.latest_end == kNoDeadline) return max_rows_;
    const LatencyModel& latency = *queue_.calls().front().latency;
    return std::max<std::int64_t>(1, latency.rows_within(at.latest_end - at.now, max_rows_));
}

void Policy::insert(const QueuedCall& call) {
    earliest_expiry_ = std::min(earliest_expiry_, call.expires);
    queue_.insert(call);
}

void Policy::take(std::span<const std::size_t> places,
                  std::vector<InferCall*>& batch,
                  std::vector<Refused>& refused) {
    for (const std::size_t place : places) {
        const QueuedCall& waiting = queue_.calls()[place];
        if (is_cancelled(waiting)) {
            refused.push_back({waiting.call, client_is_gone()});
        } else {
            batch.push_back(waiting.call);
        }
    }
    queue_.remove(places);
    if (queue_.empty()) earliest_expiry_ = kNoDeadline;
}

void Policy::refuse(std::span<const std::size_t> places,
                    const Error& error,
                    std::vector<Refused>& refused) {
    for (const std::size_t place : places) {
        const QueuedCall& waiting = queue_.calls()[place];
        refused.push_back({waiting.call, is_cancelled(waiting) ? client_is_gone() : error});
    }
    queue_.remove(places);
}

void Policy::cancel(const InferCall& call, std::vector<Refused>& refused) {
    const auto calls = queue_.calls();
    const auto found = std::find_if(calls.begin(), calls.end(), [&call](const QueuedCall& waiting) {
        return waiting.call == &call;
    });
    if (found == calls.end()) return;
    const auto place = static_cast<std::size_t>(found - calls.begin());
    refuse(std::span(&place, 1), client_is_gone(), refused);
    if (queue_.empty()) earliest_expiry_ = kNoDeadline;
}

void Policy::expire(Clock::time_point now, std::vector<Refused>& refused) {
    if (now < earliest_expiry_) return;
    places_.clear();
    earliest_expiry_ = kNoDeadline;
    for (std::size_t place = 0; place < queue_.size(); ++place) {
        const QueuedCall& waiting = queue_.calls()[place];
        if (waiting.expires > now && !is_cancelled(waiting)) {
            earliest_expiry_ = std::min(earliest_expiry_, waiting.expires);
            continue;
        }
        places_.push_back(place);
        if (is_cancelled(waiting)) {
            refused.push_back({waiting.call, client_is_gone()});
        } else if (is_delayed_by_expiry(waiting)) {
            QueuedCall& delayed = delayed_.emplace_back(waiting);
            delayed.rank |= kDelayed;
            delayed.due = now;
            delayed.expires = kNoDeadline;
        } else {
            refused.push_back({waiting.call, too_late(waiting, now)});
            expired();
        }
    }
    queue_.remove(places_);
    for (const QueuedCall& call : delayed_) queue_.insert(call);
    delayed_.clear();
}

void Policy::clear(std::vector<InferCall*>& calls) {
    for (const QueuedCall& waiting : queue_.calls()) calls.push_back(waiting.call);
    queue_ = {};
    earliest_expiry_ = kNoDeadline;
}

void Policy::take_over(Policy& old, std::vector<Refused>& refused) {
    latencies_ = std::move(old.latencies_);
    forecast_ = old.forecast_;
    learn_from(old);
    const auto waiting = old.queue_.calls();
    std::vector<QueuedCall> calls(waiting.begin(), waiting.end());
    old.queue_ = {};
    for (QueuedCall& call : calls) {
        call.priority = priority_of(call.call->request);
        place(call);
        call.expires = expiry_of(call);
    }
    std::stable_sort(calls.begin(), calls.end(), [](const QueuedCall& a, const QueuedCall& b) {
        return std::tie(a.rank, a.due) < std::tie(b.rank, b.due);
    });
    for (const QueuedCall& call : calls) {
        if (const Result<> fits = check_bounds(call); fits) {
            insert(call);
        } else {
            refused.push_back({call.call, is_cancelled(call) ? client_is_gone() : fits.error()});
        }
    }
}

std::unique_ptr<Policy> make_policy(const model::QueueOptions& options,
                                    std::int64_t max_rows,
                                    std::span<const model::ServiceTime> seeds,
                                    Clock::time_point now,
                                    bool sizes_vary) {
    if (options.policy == model::QueuePolicy::kFifo) {
        return std::make_unique<FifoPolicy>(options, max_rows, seeds, now, sizes_vary);
    }
    return std::make_unique<DeadlinePolicy>(options, max_rows, seeds, now, sizes_vary);
}

}  // namespace lepton::scheduler
