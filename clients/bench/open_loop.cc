#include "open_loop.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "lepton/core/sync.h"

namespace lepton::bench {
namespace {

using std::chrono::nanoseconds;

constexpr auto kStartsIn = std::chrono::milliseconds(2);
constexpr auto kLongestSleep = std::chrono::microseconds(50'000);
constexpr auto kLongestWait = std::chrono::microseconds(200);
// Beyond this the generator cannot keep up, and would only measure itself.
constexpr auto kHopelesslyLate = std::chrono::seconds(2);

void sleep_until(Clock::time_point until) {
    const std::int64_t ns = nanoseconds(until.time_since_epoch()).count();
    constexpr std::int64_t kSecond = 1'000'000'000;
    const timespec time{.tv_sec = ns / kSecond, .tv_nsec = ns % kSecond};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR) {
    }
}

// Classes and times are drawn separately, so that neither changes the other.
constexpr std::uint64_t kClassSeed = 0x9e3779b97f4a7c15;

class OpenLoop {
public:
    OpenLoop(Target& target, const Plan& plan, Arrivals::Options arrivals)
        : target_(target),
          plan_(plan),
          requests_(requests_of(plan)),
          arrivals_(std::move(arrivals)),
          draw_(plan.classes, plan.seed ^ kClassSeed) {
        seen_.by_class.resize(plan.classes.size());
    }

    Measurement run();

private:
    struct Flight {
        Ended times;
        std::size_t load_class = 0;
        bool counts = false;
        InferResult storage;
    };

    void begin(const Arrivals::Arrival& arrival, Clock::time_point planned);
    void send(Flight& flight);
    // Sends as many as there are connections for, first come, first served.
    void send_waiting();
    [[nodiscard]] bool has_connection() const {
        return plan_.connections == 0 || under_way_ < plan_.connections;
    }
    [[nodiscard]] Flight& new_flight();
    void on_end(Flight& flight, Result<InferResult> result);
    // Counts what has ended since the last call.
    void collect();
    void wait_until(Clock::time_point until);
    void tell_progress(Clock::time_point now);
    [[nodiscard]] std::size_t class_of(const Arrivals::Arrival& arrival);

    Target& target_;
    const Plan& plan_;
    std::vector<InferRequest> requests_;
    Arrivals arrivals_;
    ClassDraw draw_;
    Measurement seen_;

    Clock::time_point start_;
    Clock::time_point counts_from_;
    Clock::time_point counts_until_;
    Clock::time_point next_progress_;
    std::deque<Flight> flights_;  // They do not move, and are reused.
    std::vector<Flight*> idle_;
    std::vector<Flight*> collecting_;
    // Waiting for a connection. The client would make them wait as well.
    std::deque<Flight*> waiting_;
    std::size_t under_way_ = 0;  // Requests that the client has.
    std::size_t counting_ = 0;   // Flights in progress that count.
    std::uint64_t sent_ = 0;
    std::uint64_t in_time_ = 0;

    Mutex mutex_;
    std::vector<Flight*> ended_ LEPTON_GUARDED_BY(mutex_);
};

Measurement OpenLoop::run() {
    // By default Linux delays timers by 50 us, to save power.
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    nanoseconds longest_deadline{0};
    for (const LoadClass& load_class : plan_.classes) {
        longest_deadline = std::max(longest_deadline, load_class.deadline);
    }
    start_ = next_progress_ = Clock::now() + kStartsIn;
    counts_from_ = start_ + plan_.warmup;
    counts_until_ = counts_from_ + plan_.duration;
    const Clock::time_point load_until = counts_until_ + longest_deadline;
    Clock::time_point last_planned = counts_from_;
    bool ended_early = true;  // A trace may end early.
    while (const auto arrival = arrivals_.next()) {
        const Clock::time_point planned = start_ + arrival->at;
        if (planned >= counts_until_) ended_early = false;
        if (planned >= counts_until_ && (counting_ == 0 || planned >= load_until)) break;
        wait_until(planned);
        if (Clock::now() - planned > kHopelesslyLate) {
            seen_.fell_behind = true;
            break;
        }
        begin(*arrival, planned);
        if (planned < counts_until_) last_planned = planned;
    }
    const bool whole = !ended_early && !seen_.fell_behind;
    const Clock::time_point until = whole ? counts_until_ : last_planned;
    seen_.seconds = std::max(std::chrono::duration<double>(until - counts_from_).count(), 1e-9);
    const auto sending = std::chrono::duration<double>(Clock::now() - start_).count();
    seen_.sent = sent_;
    seen_.sent_per_second = static_cast<double>(sent_) / std::max(sending, 1e-9);
    // The client ends every call at its deadline plus grace.
    while (idle_.size() < flights_.size()) wait_until(Clock::now() + std::chrono::milliseconds(1));
    return std::move(seen_);
}

void OpenLoop::wait_until(Clock::time_point until) {
    while (true) {
        collect();
        const Clock::time_point now = Clock::now();
        if (now >= next_progress_) tell_progress(now);
        if (now >= until) return;
        // A request that waits for a connection is sent as soon as one is free, or nearly so.
        const auto longest = waiting_.empty() ? kLongestSleep : kLongestWait;
        sleep_until(std::min<Clock::time_point>(until, now + longest));
    }
}

void OpenLoop::begin(const Arrivals::Arrival& arrival, Clock::time_point planned) {
    Flight& flight = new_flight();
    flight.load_class = class_of(arrival);
    flight.times.planned = planned;
    flight.counts = planned >= counts_from_ && planned < counts_until_;
    if (flight.counts) {
        ++counting_;
        seen_.max_in_flight = std::max(seen_.max_in_flight, flights_.size() - idle_.size());
        seen_.lateness.record(
            static_cast<std::uint64_t>(nanoseconds(Clock::now() - planned).count()));
    }
    ++sent_;
    if (waiting_.empty() && has_connection()) return send(flight);
    if (flight.counts) ++seen_.waited_for_connection;
    waiting_.push_back(&flight);
}

void OpenLoop::send(Flight& flight) {
    InferRequest& request = requests_[flight.load_class];
    flight.times.sent = Clock::now();
    set_times(request, plan_.classes[flight.load_class], flight.times);
    ++under_way_;
    // Two pointers are what a std::function can hold without an allocation.
    target_.infer_async(
        request,
        [this, &flight](Result<InferResult> result) { on_end(flight, std::move(result)); },
        std::move(flight.storage));
}

void OpenLoop::send_waiting() {
    while (!waiting_.empty() && has_connection()) {
        Flight& flight = *waiting_.front();
        waiting_.pop_front();
        const LoadClass& load_class = plan_.classes[flight.load_class];
        flight.times.sent = Clock::now();
        if (flight.times.sent < flight.times.planned + load_class.deadline + plan_.timeout) {
            send(flight);
            continue;
        }
        set_times(requests_[flight.load_class], load_class, flight.times);
        flight.times.give_up = flight.times.sent;
        ++under_way_;
        on_end(flight,
               fail(ErrorCode::kDeadlineExceeded,
                    "all " + std::to_string(plan_.connections) +
                        " connections were busy until the request was of no use any more"));
    }
}

OpenLoop::Flight& OpenLoop::new_flight() {
    if (idle_.empty()) return flights_.emplace_back();
    Flight* const flight = idle_.back();
    idle_.pop_back();
    return *flight;
}

void OpenLoop::on_end(Flight& flight, Result<InferResult> result) {
    flight.times.ended = Clock::now();
    if (result) {
        flight.times.error.reset();
        flight.times.timing = result->timing();
        flight.storage = *std::move(result);
    } else {
        flight.times.error = std::move(result).error();
    }
    const MutexLock lock(mutex_);
    ended_.push_back(&flight);
}

void OpenLoop::collect() {
    {
        const MutexLock lock(mutex_);
        collecting_.swap(ended_);
    }
    for (Flight* const flight : collecting_) {
        --under_way_;
        if (outcome_of(flight->times) == Outcome::kInTime) ++in_time_;
        if (flight->counts) {
            --counting_;
            seen_.by_class[flight->load_class].add(flight->times);
        }
        idle_.push_back(flight);
    }
    collecting_.clear();
    send_waiting();
}

void OpenLoop::tell_progress(Clock::time_point now) {
    next_progress_ = now + kProgressPeriod;
    if (!plan_.progress) return;
    plan_.progress({.elapsed = now - start_,
                    .total = plan_.warmup + plan_.duration,
                    .sent = sent_,
                    .in_time = in_time_,
                    .in_flight = flights_.size() - idle_.size()});
}

std::size_t OpenLoop::class_of(const Arrivals::Arrival& arrival) {
    if (arrival.load_class == nullptr) return draw_.next();
    const auto named =
        std::find_if(plan_.classes.begin(), plan_.classes.end(), [&](const LoadClass& known) {
            return known.name == *arrival.load_class;
        });
    return static_cast<std::size_t>(named - plan_.classes.begin());
}

}  // namespace

Result<Measurement> run_open_loop(Target& target, const Plan& plan, Arrivals::Options arrivals) {
    for (const TraceEntry& entry : arrivals.trace) {
        const bool known =
            entry.load_class.empty() ||
            std::any_of(plan.classes.begin(), plan.classes.end(), [&](const LoadClass& load_class) {
                return load_class.name == entry.load_class;
            });
        if (known) continue;
        return fail(ErrorCode::kInvalidArgument,
                    "the trace names class \"" + entry.load_class +
                        "\", which there is not; add --class name=" + entry.load_class + ",...");
    }
    // Its histograms are too large for a stack.
    const auto loop = std::make_unique<OpenLoop>(target, plan, std::move(arrivals));
    return loop->run();
}

}  // namespace lepton::bench
