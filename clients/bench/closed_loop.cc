#include "closed_loop.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

namespace lepton::bench {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

struct Counts {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> in_time{0};
};

// One thread of the loop.
class Asker {
public:
    Asker(Target& target, const Plan& plan, Counts& counts, std::uint64_t number)
        : target_(target),
          plan_(plan),
          counts_(counts),
          requests_(requests_of(plan)),
          draw_(plan.classes, plan.seed + number),
          by_class_(plan.classes.size()) {}

    void run(Clock::time_point counts_from, Clock::time_point until) {
        while (true) {
            const std::size_t load_class = draw_.next();
            InferRequest& request = requests_[load_class];
            Ended times;
            times.planned = times.sent = Clock::now();
            if (times.sent >= until) return;
            set_times(request, plan_.classes[load_class], times);
            Result<> answered = target_.infer(request, result_);
            times.ended = Clock::now();
            if (answered) {
                times.timing = result_.timing();
            } else {
                times.error = std::move(answered).error();
            }
            counts_.sent.fetch_add(1, kRelaxed);
            if (outcome_of(times) == Outcome::kInTime) counts_.in_time.fetch_add(1, kRelaxed);
            if (times.sent < counts_from) continue;
            if (counted_ == Clock::duration::zero()) first_ = times.sent;
            counted_ = times.ended - first_;
            by_class_[load_class].add(times);
        }
    }

    [[nodiscard]] const std::vector<Tally>& by_class() const { return by_class_; }
    // The time from the first request that counts until the answer to the last one.
    [[nodiscard]] Clock::duration counted() const { return counted_; }

private:
    Target& target_;
    const Plan& plan_;
    Counts& counts_;
    std::vector<InferRequest> requests_;
    ClassDraw draw_;
    std::vector<Tally> by_class_;
    Clock::time_point first_;
    Clock::duration counted_{};
    InferResult result_;
};

// The time in which the counted requests were asked and answered, averaged over the threads, so
// that a rate is one of whole requests. The time from the end of the warm-up to the last answer
// would be too long: at its start, requests of the warm-up are still being answered, and at its
// end, most threads are done.
double seconds_of(const std::vector<std::unique_ptr<Asker>>& askers) {
    Clock::duration sum{};
    for (const auto& asker : askers) sum += asker->counted();
    return std::chrono::duration<double>(sum).count() / static_cast<double>(askers.size());
}

}  // namespace

Measurement run_closed_loop(Target& target, const Plan& plan, int concurrency) {
    Counts counts;
    std::vector<std::unique_ptr<Asker>> askers;
    askers.reserve(static_cast<std::size_t>(concurrency));
    for (int i = 0; i < concurrency; ++i) {
        askers.push_back(
            std::make_unique<Asker>(target, plan, counts, static_cast<std::uint64_t>(i)));
    }
    const Clock::time_point start = Clock::now();
    const Clock::time_point counts_from = start + plan.warmup;
    const Clock::time_point until = counts_from + plan.duration;
    {
        std::vector<std::jthread> threads;
        threads.reserve(askers.size());
        for (const auto& asker : askers) {
            threads.emplace_back([&asker, counts_from, until] { asker->run(counts_from, until); });
        }
        while (Clock::now() < until) {
            std::this_thread::sleep_until(
                std::min<Clock::time_point>(until, Clock::now() + kProgressPeriod));
            if (!plan.progress) continue;
            plan.progress({.elapsed = Clock::now() - start,
                           .total = plan.warmup + plan.duration,
                           .sent = counts.sent.load(kRelaxed),
                           .in_time = counts.in_time.load(kRelaxed),
                           .in_flight = askers.size()});
        }
    }
    Measurement seen;
    seen.by_class.resize(plan.classes.size());
    for (const auto& asker : askers) {
        for (std::size_t i = 0; i < seen.by_class.size(); ++i) {
            seen.by_class[i].merge(asker->by_class()[i]);
        }
    }
    seen.seconds = std::max(seconds_of(askers), 1e-9);
    seen.sent = counts.sent;
    seen.sent_per_second = static_cast<double>(seen.total().requests()) / seen.seconds;
    seen.max_in_flight = askers.size();
    return seen;
}

}  // namespace lepton::bench
