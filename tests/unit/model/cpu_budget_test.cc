#include "lepton/model/cpu_budget.h"

#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace lepton::model {
namespace {

using lepton::testing::TempFolder;

TEST(CpuBudget, ReadsTheQuotaOfCgroupV2) {
    EXPECT_EQ(parse_cpu_max("150000 100000\n"), 1.5);
    EXPECT_EQ(parse_cpu_max("max 100000\n"), std::nullopt);
    EXPECT_EQ(parse_cpu_max(""), std::nullopt);
    EXPECT_EQ(parse_cpu_max("100000"), std::nullopt);
    EXPECT_EQ(parse_cpu_max("100000 0"), std::nullopt);
}

TEST(CpuBudget, ReadsTheQuotaOfCgroupV1) {
    EXPECT_EQ(parse_cfs_quota("200000\n", "100000\n"), 2.0);
    EXPECT_EQ(parse_cfs_quota("-1\n", "100000\n"), std::nullopt);
    EXPECT_EQ(parse_cfs_quota("", ""), std::nullopt);
}

TEST(CpuBudget, FindsTheGroupOfAController) {
    constexpr std::string_view kText = "5:memory:/m\n4:cpu,cpuacct:/c/d\n0::/a/b\n";
    EXPECT_EQ(cgroup_path(kText, ""), "/a/b");
    EXPECT_EQ(cgroup_path(kText, "cpu"), "/c/d");
    EXPECT_EQ(cgroup_path(kText, "blkio"), std::nullopt);
    EXPECT_EQ(cgroup_path("", ""), std::nullopt);
}

TEST(CpuBudget, TheSmallestQuotaOfTheGroupsAroundTheProcessCounts) {
    const TempFolder root;
    root.write("proc/self/cgroup", "0::/slice/service\n");
    root.write("sys/fs/cgroup/slice/service/cpu.max", "max 100000\n");
    root.write("sys/fs/cgroup/slice/cpu.max", "250000 100000\n");
    EXPECT_EQ(cgroup_quota(root.path()), 2.5);
    root.write("sys/fs/cgroup/slice/service/cpu.max", "50000 100000\n");
    EXPECT_EQ(cgroup_quota(root.path()), 0.5);
}

TEST(CpuBudget, AGroupThatCannotBeSeenIsTheTopOfTheMount) {
    const TempFolder root;
    root.write("proc/self/cgroup", "0::/docker/abc\n");
    root.write("sys/fs/cgroup/cpu.max", "300000 100000\n");
    EXPECT_EQ(cgroup_quota(root.path()), 3.0);
}

TEST(CpuBudget, BothNamesOfTheV1ControllerAreKnown) {
    const TempFolder root;
    root.write("proc/self/cgroup", "4:cpu,cpuacct:/box\n");
    root.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "400000\n");
    root.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(cgroup_quota(root.path()), 4.0);
}

TEST(CpuBudget, WithoutCgroupsThereIsNoQuota) {
    const TempFolder root;
    EXPECT_EQ(cgroup_quota(root.path()), std::nullopt);
}

TEST(CpuBudget, IsRoundedDownAndAtLeastOneAndNeverMoreThanTheAffinity) {
    EXPECT_EQ(cores_of(8, std::nullopt), 8);
    EXPECT_EQ(cores_of(8, 3.9), 3);
    EXPECT_EQ(cores_of(8, 0.5), 1);
    EXPECT_EQ(cores_of(2, 16.0), 2);
    EXPECT_EQ(cores_of(2, 1e300), 2);
    EXPECT_GE(cpu_budget(), 1);
}

}  // namespace
}  // namespace lepton::model
