#include "lepton/server/memory_budget.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <system_error>

#include "lepton/model/cpu_budget.h"

namespace lepton::server {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

// "max" is not a number, and means no limit.
std::size_t read_limit(const fs::path& file) {
    std::ifstream text(file);
    std::size_t bytes = 0;
    return text >> bytes ? bytes : kUnlimited;
}

// Walks from `group` up to the top of `mount`; each enclosing group bounds the process.
std::size_t smallest_limit(const fs::path& mount, fs::path group, const char* file) {
    std::error_code error;
    if (!fs::exists(mount / group.relative_path(), error)) group = "/";
    std::size_t limit = kUnlimited;
    while (true) {
        limit = std::min(limit, read_limit(mount / group.relative_path() / file));
        if (!group.has_relative_path()) return limit;
        group = group.parent_path();
    }
}

std::size_t cgroup_limit(const fs::path& root) {
    std::ifstream file(root / "proc/self/cgroup");
    const std::string groups{std::istreambuf_iterator<char>(file),
                             std::istreambuf_iterator<char>()};
    const fs::path mount = root / "sys/fs/cgroup";
    std::size_t limit = kUnlimited;
    if (const auto group = model::cgroup_path(groups, "")) {
        limit = smallest_limit(mount, *group, "memory.max");
    }
    if (const auto group = model::cgroup_path(groups, "memory")) {
        limit = std::min(limit, smallest_limit(mount / "memory", *group, "memory.limit_in_bytes"));
    }
    return limit;
}

std::size_t address_space() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
    return limit.rlim_cur;
}

std::size_t memory_of_machine() {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page_bytes = ::sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page_bytes <= 0) return kUnlimited;
    return static_cast<std::size_t>(pages) * static_cast<std::size_t>(page_bytes);
}

}  // namespace

std::size_t memory_of_process(const fs::path& root) {
    return std::min({memory_of_machine(), cgroup_limit(root), address_space()});
}

}  // namespace lepton::server
