#include "lepton/scheduler/deadline_policy.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "lepton/scheduler/prediction.h"

namespace lepton::scheduler {
namespace {

// From which share of the capacity on machine time has a price, and from which it is full: the
// result of simulations, docs/concepts/scheduling.md.
constexpr double kPricedFrom = 0.9;
constexpr double kFullPriceFrom = 1.1;
// The margin grows with the load from there on, up to this.
constexpr double kMostMarginOfLoad = 1;
// So that of two plans that serve the same calls the quicker one wins.
constexpr double kLeastPrice = 1e-3;
constexpr double kLeastShare = 0.05;
// The load is averaged over this many of the longest runs: more would notice too late that there is
// more to do than can be done, and what has been admitted until then, just in time, runs in small
// batches for long after.
constexpr int kRunsOfLoad = 6;
constexpr Clock::duration kLeastWindow = std::chrono::milliseconds(1);
// What runs scatter, for calls that are admitted without a plan.
constexpr double kScatter = 0.125;
constexpr double kMostWork = 1e6;  // Seconds that one call is counted for.
constexpr const char* kMadeRoom = "made room for another request";
constexpr int kMostSteps = 6;  // Steps of priority that count: 64 times as patient, or as hurried.

double stretch(const Moment& at) { return 1 / std::max(at.share, kLeastShare); }

std::string milliseconds(Clock::duration time) {
    // Hundredths will do; in integers, because a refusal is to be cheap.
    const auto hundredths = std::max(time, Clock::duration::zero()) / std::chrono::microseconds(10);
    std::string text = std::to_string(hundredths / 100);
    text += hundredths % 100 < 10 ? ".0" : ".";
    text += std::to_string(hundredths % 100);
    return text + " ms";
}

}  // namespace

void DeadlinePolicy::place(QueuedCall& call) const {
    const Clock::duration patience =
        call.deadline == kNoDeadline ? kPatience : call.deadline - call.arrived;
    const auto steps = static_cast<int>(
        std::clamp(static_cast<std::int64_t>(call.priority) - options_.default_priority,
                   std::int64_t{-kMostSteps},
                   std::int64_t{kMostSteps}));
    const Clock::duration longest = Clock::duration::max() / (1 << (kMostSteps + 1));
    const Clock::duration counted = std::min(patience, longest);
    call.rank = 0;
    call.due = call.arrived + (steps < 0 ? counted / (1 << -steps) : counted * (1 << steps));
}

void DeadlinePolicy::learn_from(const Policy& old) {
    const auto* same = dynamic_cast<const DeadlinePolicy*>(&old);
    if (same == nullptr) return;
    arrivals_ = same->arrivals_;
    work_ = same->work_;
    margin_ = same->margin_;
}

Result<> DeadlinePolicy::admit(InferCall& call, const Moment& at, std::vector<Refused>& refused) {
    latencies_.pass_to(at.now);
    margin_.pass_to(at.now);
    QueuedCall waiting = describe(call, at.now);
    take_turn(waiting);
    count_arrival(waiting);
    if (auto chance = check_hopeless(waiting, at); !chance) {
        waiting.tried = may_try(waiting, at);
        if (!waiting.tried) return chance;
    }
    if (auto room = make_room(waiting, refused); !room) {
        return tl::unexpected<Error>(busy(std::move(room).error(), at));
    }
    if (waiting.tried || all_is_easy(waiting, at)) {
        insert(waiting);
        return {};
    }
    return admit_by_plan(waiting, at, refused);
}

const CallQueue::Share* DeadlinePolicy::largest_share(const QueuedCall& call) const {
    const CallQueue::Share* largest = nullptr;
    for (const CallQueue::Share& share : queue_.shares()) {
        if (share.priority != call.priority) continue;
        if (largest == nullptr || share.calls > largest->calls) largest = &share;
    }
    if (largest == nullptr || largest->calls <= queue_.calls_like(call) + 1) return nullptr;
    return largest;
}

// The first of each client, then the second of each: so none waits for more than it has asked for
// itself, and no measured time can mislead.
void DeadlinePolicy::take_turn(QueuedCall& call) const {
    if (call.deadline != kNoDeadline) return;
    const CallQueue::Share* const largest = largest_share(call);
    if (largest == nullptr) return;
    Clock::time_point turn = Clock::time_point::max();
    Clock::time_point own_last = Clock::time_point::min();
    std::size_t ahead = queue_.calls_like(call);
    for (const QueuedCall& waiting : queue_.calls()) {
        if (waiting.deadline != kNoDeadline || waiting.priority != call.priority) continue;
        if (waiting.client == call.client) own_last = waiting.due;
        if (waiting.client == largest->client && ahead-- == 0) turn = waiting.due;
    }
    call.due = std::min(call.due, std::max(turn, own_last));
}

void DeadlinePolicy::answered(bool in_time) { in_time ? margin_.on_kept() : margin_.on_broken(); }

void DeadlinePolicy::count_arrival(const QueuedCall& call) {
    const Clock::duration window =
        std::max<Clock::duration>(call.latency->typical(max_rows_) * kRunsOfLoad, kLeastWindow);
    const double seconds =
        std::min(static_cast<double>(call.rows) / call.latency->capacity(), kMostWork);
    arrivals_.add(call.rows, call.arrived, window);
    work_.add(std::llround(seconds * 1e9), call.arrived, window);
}

Result<> DeadlinePolicy::check_hopeless(const QueuedCall& call, const Moment& at) const {
    if (call.deadline == kNoDeadline) return {};
    const Clock::duration takes = call.latency->safe(call.rows, 1);
    const Clock::duration left = call.deadline - at.now;
    if (takes <= left) return {};
    const std::string needs = "the model needs about " + milliseconds(takes);
    return fail(ErrorCode::kDeadlineExceeded,
                left <= Clock::duration::zero()
                    ? "deadline already passed (" + needs + ")"
                    : "deadline cannot be met: " + milliseconds(left) + " are left, " + needs);
}

bool DeadlinePolicy::may_try(const QueuedCall& call, const Moment& at) {
    if (call.deadline <= at.now) return false;
    LatencyModel& latency = latency_of(*call.call, at.now);
    latency.doubt(call.rows);
    return queue_.empty() && at.start() <= at.now &&
           latency.may_try(call.rows, call.deadline - at.now, at.now);
}

Result<> DeadlinePolicy::make_room(const QueuedCall& call, std::vector<Refused>& refused) {
    Result<> bounds = check_bounds(call);
    while (!bounds && !queue_.empty()) {
        const auto calls = queue_.calls();
        std::size_t least = 0;  // The least important, of those the one due last.
        for (std::size_t i = 1; i < calls.size(); ++i) {
            if (calls[i].priority >= calls[least].priority) least = i;
        }
        if (calls[least].priority <= call.priority) least = out_of_turn(call, false);
        if (least == queue_.size()) return bounds;
        refuse(std::span(&least, 1), {ErrorCode::kQueueFull, kMadeRoom}, refused);
        bounds = check_bounds(call);
    }
    return bounds;
}

std::size_t DeadlinePolicy::out_of_turn(const QueuedCall& call, bool hurried) const {
    const CallQueue::Share* const largest = largest_share(call);
    if (largest == nullptr) return queue_.size();
    const auto calls = queue_.calls();
    for (std::size_t i = calls.size(); i-- > 0;) {
        if (calls[i].client != largest->client || calls[i].priority != call.priority) continue;
        if (!hurried || calls[i].deadline != kNoDeadline) return i;
    }
    return queue_.size();
}

bool DeadlinePolicy::all_is_easy(const QueuedCall& call, const Moment& at) const {
    const Clock::time_point earliest = std::min(earliest_expiry(), call.deadline);
    if (earliest == kNoDeadline) return true;
    // As if every row ran alone, on one instance, before the most urgent one.
    const std::int64_t rows = queue_.rows() + call.rows;
    const LatencyModel& slowest = latencies_.slowest();
    const Clock::duration alone = repeated(slowest.safe(1, at.active() + 1), rows);
    const Clock::duration wait = at.start() - at.now + scaled(alone, stretch(at) * (1 + kScatter));
    return at.now + scaled(wait, 1 + margin(at)) + slowest.safe(max_rows_, 1) <= earliest &&
           price(at) == 0;
}

Result<> DeadlinePolicy::admit_by_plan(QueuedCall call,
                                       const Moment& at,
                                       std::vector<Refused>& refused) {
    if (fits_plan(call, at, refused)) return {};
    if (call.deadline == kNoDeadline) {
        // It can wait: behind all that were promised to be in time.
        call.due = std::max(call.due, queue_.calls().back().due);
        insert(call);
        return {};
    }
    const std::size_t place = out_of_turn(call, true);
    if (place == queue_.size()) return tl::unexpected<Error>(overloaded(call, at));
    const QueuedCall other = queue_.calls()[place];
    queue_.remove(place);
    if (fits_plan(call, at, refused)) {
        refused.push_back({other.call, busy({ErrorCode::kOverloaded, kMadeRoom}, at)});
        return {};
    }
    insert(other);
    return tl::unexpected<Error>(overloaded(call, at));
}

bool DeadlinePolicy::fits_plan(const QueuedCall& call,
                               const Moment& at,
                               std::vector<Refused>& refused) {
    const std::size_t place = queue_.place_of(call);
    if (place >= BatchPlanner::kHorizon) {
        if (call.deadline != kNoDeadline && is_too_far(call, at)) return false;
        insert(call);
        return true;
    }
    insert(call);
    const BatchPlanner::Plan* plan = plan_with(place, at);
    if (plan == nullptr) {
        queue_.remove(place);
        return false;
    }
    refuse(plan->late, busy({ErrorCode::kOverloaded, kMadeRoom}, at), refused);
    return true;
}

bool DeadlinePolicy::is_too_far(const QueuedCall& call, const Moment& at) const {
    const double ahead = static_cast<double>(queue_.rows()) / capacity();
    const Clock::duration wait = at.start() - at.now + scaled(std::chrono::seconds(1), ahead);
    return at.now + scaled(wait, 1 + margin(at)) + call.latency->safe(call.rows) > call.deadline;
}

// A plan that serves the new call at `place` and all that must not suffer from it.
const BatchPlanner::Plan* DeadlinePolicy::plan_with(std::size_t place, const Moment& at) {
    const auto calls = queue_.calls();
    const std::uint32_t priority = calls[place].priority;
    BatchPlanner::Options options{.max_rows = max_rows_,
                                  .stretch = stretch(at),
                                  .price = price(at),
                                  .margin = margin(at),
                                  .protect = true,
                                  .candidate = place};
    const auto* plan = planner_.best(calls, at.free_at, at.now, options);
    if (plan != nullptr && plan->late.empty()) return plan;
    // At the cost of less important ones, and of the machine's efficiency.
    if (std::none_of(calls.begin(), calls.end(), [priority](const QueuedCall& waiting) {
            return waiting.priority > priority;
        })) {
        return nullptr;
    }
    options.price = kLeastPrice * capacity();
    options.margin = AdmissionMargin::kLeast;
    options.protected_priority = priority;
    options.candidate = BatchPlanner::kNone;
    return planner_.best(calls, at.free_at, at.now, options);
}

Error DeadlinePolicy::overloaded(const QueuedCall& call, const Moment& at) const {
    std::string ahead = std::to_string(queue_.size());
    if (queue_.empty()) {
        ahead = "busy for about " + milliseconds(at.start() - at.now) + " more";
    } else {
        ahead += queue_.size() == 1 ? " request ahead" : " requests ahead";
    }
    return busy({ErrorCode::kOverloaded,
                 ahead + "; cannot finish within " + milliseconds(call.deadline - at.now)},
                at);
}

double DeadlinePolicy::capacity() const {
    const double busy = work_.per_second() * 1e-9;
    return busy > 0 ? arrivals_.per_second() / busy : latencies_.last().capacity();
}

double DeadlinePolicy::load(const Moment& at) const {
    const auto instances = static_cast<double>(at.free_at.size()) * at.share;
    return work_.per_second() * 1e-9 / instances;
}

// Beyond the capacity, whoever is refused is replaced by another: a queue of calls that can still
// wait runs in full batches, one of calls that are just in time does not.
double DeadlinePolicy::margin(const Moment& at) const {
    return std::max(margin_.value(), std::min(load(at) - kPricedFrom, kMostMarginOfLoad));
}

double DeadlinePolicy::price(const Moment& at) const {
    const auto instances = static_cast<double>(at.free_at.size()) * at.share;
    return capacity() * instances *
           std::clamp((load(at) - kPricedFrom) / (kFullPriceFrom - kPricedFrom), 0.0, 1.0);
}

// Those that could not be in time even alone.
void DeadlinePolicy::refuse_hopeless(const Moment& at, std::vector<Refused>& refused) {
    expire(at.now, refused);
    const auto calls = queue_.calls().first(std::min(queue_.size(), BatchPlanner::kHorizon));
    places_.clear();
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i].deadline != kNoDeadline && !calls[i].tried &&
            at.now + calls[i].latency->typical(calls[i].rows) > calls[i].deadline) {
            places_.push_back(i);
            margin_.on_broken();
        }
    }
    if (places_.empty()) return;
    refuse(places_,
           {ErrorCode::kDeadlineExceeded,
            "deadline cannot be met any more: the runs before took "
            "longer than predicted"},
           refused);
}

void DeadlinePolicy::take_head(std::vector<InferCall*>& batch, std::vector<Refused>& refused) {
    const std::size_t head = 0;
    take(std::span(&head, 1), batch, refused);
}

Clock::time_point DeadlinePolicy::next_batch(const Moment& at,
                                             std::vector<InferCall*>& batch,
                                             std::vector<Refused>& refused) {
    latencies_.pass_to(at.now);
    margin_.pass_to(at.now);
    while (batch.empty()) {
        if (!queue_.empty()) refuse_hopeless(at, refused);
        if (queue_.empty()) return kNoDeadline;
        if (queue_.size() == 1) {
            take_head(batch, refused);
            continue;
        }
        BatchPlanner::Options options{
            .max_rows = most_rows(at), .stretch = stretch(at), .price = price(at), .protect = true};
        options.price = std::max(options.price, kLeastPrice * capacity());
        const BatchPlanner::Plan* plan = planner_.best(queue_.calls(), at.free_at, at.now, options);
        if (plan == nullptr) {
            // Somebody will be late whatever is done: as few as possible.
            options.protect = false;
            options.price = kLeastPrice * capacity();
            plan = planner_.best(queue_.calls(), at.free_at, at.now, options);
        }
        if (plan->first_batch.empty()) {
            take_head(batch, refused);  // None is sure to be in time, but the first may be.
        } else {
            take(plan->first_batch, batch, refused);
        }
    }
    return kNoDeadline;
}

}  // namespace lepton::scheduler
