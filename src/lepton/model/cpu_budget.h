#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace lepton::model {

// Cores that this process may use: its affinity, less what the container's CPU quota leaves,
// rounded down, at least 1. The host's cores say nothing about either.
[[nodiscard]] int cpu_budget();

// The parts of it, as functions of what they read.

// "max 100000" -> nothing; "150000 100000" -> 1.5.
// https://docs.kernel.org/admin-guide/cgroup-v2.html
[[nodiscard]] std::optional<double> parse_cpu_max(std::string_view text);

// cpu.cfs_quota_us and cpu.cfs_period_us of cgroup v1; a quota of -1 is none.
[[nodiscard]] std::optional<double> parse_cfs_quota(std::string_view quota,
                                                    std::string_view period);

// Folder of the process in the hierarchy of `controller`, from the text of /proc/self/cgroup; an
// empty controller stands for cgroup v2. "0::/a/b" -> "/a/b"; "4:cpu,cpuacct:/c" -> "/c".
[[nodiscard]] std::optional<std::filesystem::path> cgroup_path(std::string_view proc_self_cgroup,
                                                               std::string_view controller);

// Smallest quota, in cores, over the process's group and all groups around it, below `root` in
// place of "/". A path that cannot be seen, as in a container without a cgroup namespace, stands
// for the mount's top.
[[nodiscard]] std::optional<double> cgroup_quota(const std::filesystem::path& root);

[[nodiscard]] int cores_of(int affinity, std::optional<double> quota);

}  // namespace lepton::model
