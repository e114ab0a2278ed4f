#include "lepton/model/cpu_budget.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Takes the text before `end` off the front of `rest`.
std::string_view take_until(std::string_view& rest, char end) {
    const std::size_t at = std::min(rest.find(end), rest.size());
    const std::string_view taken = rest.substr(0, at);
    rest.remove_prefix(std::min(at + 1, rest.size()));
    return taken;
}

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return std::nullopt;
    return value;
}

std::optional<double> quota_over(std::optional<double> quota, std::optional<double> period) {
    if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
    return *quota / *period;
}

std::optional<double> smaller(std::optional<double> a, std::optional<double> b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
}

// Walks from `group` up to the top of `mount`; each group around a process bounds it.
template <class ReadQuota>
std::optional<double> smallest_quota(const fs::path& mount, fs::path group, ReadQuota read) {
    std::error_code error;
    if (!fs::exists(mount / group.relative_path(), error)) group = "/";
    std::optional<double> quota;
    while (true) {
        quota = smaller(quota, read(mount / group.relative_path()));
        if (!group.has_relative_path()) return quota;
        group = group.parent_path();
    }
}

int affinity_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    // Fails on machines with more than 1024 processors, where the number of all of them is near
    // enough.
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

std::optional<double> parse_cpu_max(std::string_view text) {
    const std::string_view quota = take_until(text, ' ');
    return quota_over(parse_number(quota), parse_number(text));
}

std::optional<double> parse_cfs_quota(std::string_view quota, std::string_view period) {
    return quota_over(parse_number(quota), parse_number(period));
}

std::optional<fs::path> cgroup_path(std::string_view proc_self_cgroup,
                                    std::string_view controller) {
    while (!proc_self_cgroup.empty()) {
        std::string_view line = take_until(proc_self_cgroup, '\n');
        take_until(line, ':');  // The hierarchy's number.
        std::string_view controllers = take_until(line, ':');
        if (controllers.empty() && controller.empty()) return fs::path(line);
        while (!controllers.empty()) {
            if (take_until(controllers, ',') == controller) return fs::path(line);
        }
    }
    return std::nullopt;
}

std::optional<double> cgroup_quota(const fs::path& root) {
    const std::string groups = read_text(root / "proc/self/cgroup");
    const fs::path mount = root / "sys/fs/cgroup";
    std::optional<double> quota;
    if (const auto group = cgroup_path(groups, "")) {
        quota = smallest_quota(mount, *group, [](const fs::path& folder) {
            return parse_cpu_max(read_text(folder / "cpu.max"));
        });
    }
    if (const auto group = cgroup_path(groups, "cpu")) {
        for (const char* controller : {"cpu", "cpu,cpuacct"}) {
            const auto read = [](const fs::path& folder) {
                return parse_cfs_quota(read_text(folder / "cpu.cfs_quota_us"),
                                       read_text(folder / "cpu.cfs_period_us"));
            };
            quota = smaller(quota, smallest_quota(mount / controller, *group, read));
        }
    }
    return quota;
}

int cores_of(int affinity, std::optional<double> quota) {
    const int cores = quota ? static_cast<int>(std::floor(std::min(*quota, 4096.0))) : affinity;
    return std::max(1, std::min(cores, affinity));
}

int cpu_budget() { return cores_of(affinity_cores(), cgroup_quota("/")); }

}  // namespace lepton::model
