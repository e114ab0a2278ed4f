#include "lepton/model/repository/instance_controller.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace lepton::model {
namespace {

// More instances are of use only where those that are there are busy, and cores are not.
constexpr double kBusy = 0.7;
constexpr double kCoresAreFull = 0.9;
constexpr double kMissedIsMuch = 0.01;
// Fewer serve as well where they would be less busy than this.
constexpr double kSpare = 0.5;
// A run may take that much longer beside one more instance, of what would eat up all its gain.
constexpr double kWorthIt = 0.8;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

double milliseconds(Clock::duration time) { return 1000 * seconds(time); }

Clock::duration per(Clock::duration sum, std::uint64_t count) {
    return count == 0 ? Clock::duration::zero() : sum / static_cast<std::int64_t>(count);
}

}  // namespace

InstanceController::Findings InstanceController::find(const Look& look) const {
    const LoadCounters& was = before_->counters;
    const LoadCounters& is = look.counters;
    const double passed = seconds(look.now - before_->now);
    const std::uint64_t missed = is.missed - was.missed;
    const std::uint64_t answered = is.answered - was.answered;
    Findings found;
    found.busy = seconds(is.run_time - was.run_time) / passed / look.instances;
    found.cpu = seconds(look.cpu_time - before_->cpu_time) / passed / cores_;
    if (missed + answered > 0) {
        found.missed = static_cast<double>(missed) / static_cast<double>(missed + answered);
    }
    found.wait = per(is.queued - was.queued, answered);
    found.run = per(is.run_time - was.run_time, is.runs - was.runs);
    return found;
}

bool InstanceController::has_cores_for(int instances, int threads) const {
    return instances * (may_share_ ? 1 : threads) <= cores_;
}

std::optional<InstanceController::Decision> InstanceController::change(int instances,
                                                                       const char* why,
                                                                       const Findings& findings) {
    std::array<char, 200> text{};
    const int length = std::snprintf(text.data(),
                                     text.size(),
                                     "%s: instances busy %.0f %%, cores %.0f %%, missed %.1f %%, "
                                     "waits %.2f ms, runs %.2f ms",
                                     why,
                                     100 * findings.busy,
                                     100 * findings.cpu,
                                     100 * findings.missed,
                                     milliseconds(findings.wait),
                                     milliseconds(findings.run));
    settled_at_ = before_->now + kSettle;
    wants_more_ = wants_fewer_ = 0;
    return Decision{instances, std::string(text.data(), static_cast<std::size_t>(length))};
}

std::optional<InstanceController::Decision> InstanceController::decide(const Look& look) {
    if (!before_ || look.now <= before_->now) {
        before_ = look;
        return std::nullopt;
    }
    const Findings found = find(look);
    before_ = look;
    if (look.now < settled_at_) return std::nullopt;

    if (grown_from_ > 0 && look.instances == grown_from_ + 1 && found.run > found.run.zero()) {
        const double gain = static_cast<double>(look.instances) / grown_from_;
        const bool worth = seconds(found.run) <= seconds(run_before_) * (1 + (gain - 1) * kWorthIt);
        const int back = grown_from_;
        grown_from_ = 0;
        if (!worth && back >= bounds_.least) {
            may_grow_at_ = look.now + kRegret;
            return change(back, "one more brought nothing, runs took longer", found);
        }
    }

    const bool waits = found.wait > found.run || found.missed > kMissedIsMuch;
    const bool more = waits && found.busy > kBusy && found.cpu < kCoresAreFull &&
                      look.instances < bounds_.most &&
                      has_cores_for(look.instances + 1, look.threads) && look.now >= may_grow_at_;
    const bool fewer = look.instances > bounds_.least && found.missed <= kMissedIsMuch &&
                       found.busy * look.instances < kSpare * (look.instances - 1);
    wants_more_ = more ? wants_more_ + 1 : 0;
    wants_fewer_ = fewer ? wants_fewer_ + 1 : 0;
    if (wants_more_ >= kGrowAfter) {
        grown_from_ = look.instances;
        run_before_ = found.run;
        return change(look.instances + 1, "requests wait while cores are idle", found);
    }
    if (wants_fewer_ >= kShrinkAfter) {
        grown_from_ = 0;
        return change(look.instances - 1, "one fewer has time to spare", found);
    }
    return std::nullopt;
}

}  // namespace lepton::model
