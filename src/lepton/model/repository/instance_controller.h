#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lepton/core/clock.h"
#include "lepton/model/config/model_config.h"

namespace lepton::model {

// What has been counted about one version since it was first loaded.
struct LoadCounters {
    std::uint64_t runs = 0;
    Clock::duration run_time{};  // The time of all instances together.
    std::uint64_t answered = 0;
    Clock::duration
        queued{};  // The time that the answered ones waited together until their runs began.
    std::uint64_t missed = 0;  // Late, or refused for want of time or room.
};

// Decides how many instances of one model are worth having, from what was counted between two looks
// at it. More, when requests wait or are refused although cores are idle; fewer, when those that
// are left would still have time to spare. So that it does not swing to and fro:
//
// - the same finding has to come kGrowAfter, or kShrinkAfter, times in a row;
// - after a change nothing changes for kSettle;
// - where another instance did not bring more rows per second of waiting than cores were to give,
//   because memory or cores were short after all, it is taken back and not tried for kRegret.
//
// Time is an argument. Not thread-safe; the owner serialises.
class InstanceController {
public:
    static constexpr int kGrowAfter = 2;
    static constexpr int kShrinkAfter = 6;
    static constexpr Clock::duration kSettle = std::chrono::seconds(10);
    static constexpr Clock::duration kRegret = std::chrono::seconds(60);

    struct Look {
        Clock::time_point now;
        LoadCounters counters;
        Clock::duration cpu_time{};  // The time of the whole process since it began.
        int instances = 1;           // In force, and the threads of each.
        int threads = 1;
    };
    struct Decision {
        int instances = 1;
        std::string reason;  // For the log: what was found, with figures.
    };

    // `may_share`: whether the threads of an instance are found anew for another count of them.
    InstanceController(InstanceBounds bounds, int cores, bool may_share)
        : bounds_(bounds), cores_(cores), may_share_(may_share) {}

    [[nodiscard]] const InstanceBounds& bounds() const { return bounds_; }

    // Nothing: it stays as it is. The first look only begins to count.
    std::optional<Decision> decide(const Look& look);

private:
    struct Findings {
        double busy = 0;         // Share of the instances' time in which they ran.
        double cpu = 0;          // Share of the cores' time that the process used.
        double missed = 0;       // Share of the requests.
        Clock::duration wait{};  // Of a request until its run began, on average,
        Clock::duration run{};   // and of a run.
    };

    [[nodiscard]] Findings find(const Look& look) const;
    [[nodiscard]] bool has_cores_for(int instances, int threads) const;
    std::optional<Decision> change(int instances, const char* why, const Findings& findings);

    InstanceBounds bounds_;
    int cores_;
    bool may_share_;
    std::optional<Look> before_;
    int wants_more_ = 0;  // Looks in a row that found so.
    int wants_fewer_ = 0;
    Clock::time_point settled_at_{};
    Clock::time_point may_grow_at_{};
    int grown_from_ = 0;  // To judge the last growth by; 0: judged.
    Clock::duration run_before_{};
};

}  // namespace lepton::model
