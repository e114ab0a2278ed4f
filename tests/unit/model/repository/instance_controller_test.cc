#include "lepton/model/repository/instance_controller.h"

#include <gmock/gmock.h>

namespace lepton::model {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr Clock::duration kInterval = 2s;

// What goes on between two looks.
struct Load {
    const char* what;
    double busy;   // Of each instance,
    double cores;  // and of each core.
    double wait_ms;
    double run_ms;
    double missed;
    int instances;
    int threads;
};

class Watched {
public:
    explicit Watched(InstanceBounds bounds, int cores = 4, bool may_share = true)
        : cores_(cores), controller_(bounds, cores, may_share) {
        look_.now = Clock::time_point(1h);
        controller_.decide(look_);
    }

    std::optional<InstanceController::Decision> after(const Load& load) {
        const double passed = std::chrono::duration<double>(kInterval).count();
        const auto to_time = [](double seconds) {
            return std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double>(seconds));
        };
        const double run_time = load.busy * load.instances * passed;
        const auto runs = static_cast<std::uint64_t>(run_time / (load.run_ms * 1e-3));
        look_.now += kInterval;
        look_.counters.runs += runs;
        look_.counters.run_time += to_time(run_time);
        look_.counters.answered += runs;
        look_.counters.queued += to_time(static_cast<double>(runs) * load.wait_ms * 1e-3);
        look_.counters.missed +=
            static_cast<std::uint64_t>(static_cast<double>(runs) * load.missed / (1 - load.missed));
        look_.cpu_time += to_time(load.cores * cores_ * passed);
        look_.instances = load.instances;
        look_.threads = load.threads;
        return controller_.decide(look_);
    }
    // The first decision within that many looks; `looks` says after how many.
    std::optional<InstanceController::Decision> within(int most, const Load& load) {
        for (looks = 1; looks <= most; ++looks) {
            if (auto decision = after(load)) return decision;
        }
        return std::nullopt;
    }

    int looks = 0;

private:
    const int cores_;
    InstanceController controller_;
    InstanceController::Look look_;
};

TEST(InstanceController, EachSituationHasItsAnswer) {
    constexpr int kStay = 0;
    const std::pair<Load, int> cases[] = {
        {{"idle", 0, 0, 0, 1, 0, 1, 1}, kStay},
        {{"busy, nobody waits", 0.9, 0.3, 0.1, 10, 0, 1, 1}, kStay},
        {{"requests wait, cores are idle", 0.95, 0.3, 30, 10, 0, 1, 1}, 2},
        {{"requests are refused, cores are idle", 0.9, 0.3, 5, 10, 0.1, 1, 1}, 2},
        {{"requests wait, cores are full", 0.95, 0.95, 30, 10, 0, 1, 1}, kStay},
        {{"requests wait, instances do not run", 0.2, 0.2, 30, 10, 0, 1, 1}, kStay},
        {{"at the upper bound", 0.95, 0.5, 30, 10, 0, 3, 1}, kStay},
        {{"two are hardly used", 0.1, 0.1, 0, 10, 0, 2, 1}, 1},
        {{"two are half used", 0.45, 0.3, 0, 10, 0, 2, 1}, kStay},
        {{"three are a third used", 0.3, 0.3, 0, 10, 0, 3, 1}, 2},
        {{"hardly used, but refuses", 0.1, 0.1, 0, 10, 0.1, 2, 1}, kStay},
        {{"at the lower bound", 0, 0, 0, 1, 0, 1, 1}, kStay},
    };
    for (const auto& [load, expected] : cases) {
        const auto decision = Watched({1, 3}).within(10, load);
        EXPECT_EQ(decision ? decision->instances : kStay, expected) << load.what;
    }
}

TEST(InstanceController, OneFindingIsNone) {
    const Load waits{"", 0.95, 0.3, 30, 10, 0, 1, 1};
    const Load calm{"", 0.5, 0.3, 0, 10, 0, 1, 1};
    Watched watched({1, 3});
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(watched.after(i % 2 == 0 ? waits : calm)) << i;
    ASSERT_TRUE(watched.within(10, waits));
    EXPECT_EQ(watched.looks, InstanceController::kGrowAfter);
}

TEST(InstanceController, NothingChangesUntilAChangeHasSettled) {
    const Load waits{"", 0.95, 0.3, 30, 10, 0, 1, 1};
    const Load still_waits{"", 0.95, 0.5, 30, 10, 0, 2, 1};
    Watched watched({1, 3});
    ASSERT_TRUE(watched.within(10, waits));
    ASSERT_TRUE(watched.within(10, still_waits));
    EXPECT_GE(watched.looks * kInterval, InstanceController::kSettle);
}

TEST(InstanceController, GrowthThatBringsNothingIsTakenBackAndNotTriedAgainSoon) {
    const Load waits{"", 0.95, 0.3, 30, 10, 0, 1, 1};
    const Load slower{"", 0.95, 0.5, 30, 20, 0, 2, 1};  // Two run no more rows than one.
    Watched watched({1, 3});
    ASSERT_TRUE(watched.within(10, waits));
    const auto back = watched.within(10, slower);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->instances, 1);
    EXPECT_THAT(back->reason, HasSubstr("brought nothing"));
    EXPECT_FALSE(watched.within(InstanceController::kRegret / kInterval - 2, waits));
    EXPECT_TRUE(watched.within(10, waits));
}

TEST(InstanceController, ThreadsThatWereChosenByHandCountAgainstTheCores) {
    const Load waits{"", 0.95, 0.5, 30, 10, 0, 1, 3};
    EXPECT_FALSE(Watched({1, 3}, 4, false).within(10, waits));
    EXPECT_TRUE(Watched({1, 3}, 4, true).within(10, waits));
    EXPECT_FALSE(Watched({1, 3}, 1, true).within(10, waits)) << "one core";
}

TEST(InstanceController, ReasonTellsTheFigures) {
    const auto decision = Watched({1, 3}).within(10, {"", 0.95, 0.3, 30, 10, 0, 1, 1});
    ASSERT_TRUE(decision);
    EXPECT_THAT(decision->reason, HasSubstr("busy 95 %"));
    EXPECT_THAT(decision->reason, HasSubstr("cores 30 %"));
    EXPECT_THAT(decision->reason, HasSubstr("waits 30.00 ms, runs 10."));
}

}  // namespace
}  // namespace lepton::model
