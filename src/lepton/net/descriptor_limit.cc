#include "lepton/net/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace lepton::net {
namespace {

// Some limits are unlimited, and some programs walk through all of them.
constexpr rlim_t kMostDescriptors = rlim_t{1} << 20;
constexpr std::size_t kMostSpared = 1024;

}  // namespace

std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMostSpared;
    const rlimit wanted{std::max(limit.rlim_cur, std::min(limit.rlim_max, kMostDescriptors)),
                        limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
    return static_cast<std::size_t>(std::min(limit.rlim_cur, kMostDescriptors));
}

std::size_t connections_within(std::size_t descriptors) {
    return std::max<std::size_t>(1, descriptors - std::min(kMostSpared, descriptors / 4));
}

}  // namespace lepton::net
