#include "lepton/server/audit_log.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "lepton/observe/log.h"

namespace lepton::server {
namespace {

// Bytes of a client's text that are logged, so that a line stays readable.
constexpr std::size_t kLongestText = 256;

std::string cut(std::string_view text) {
    const std::string quoted = observe::quoted(text.substr(0, kLongestText));
    return text.size() > kLongestText ? quoted + "..." : quoted;
}

}  // namespace

void AuditLog::write(const protocol::AuditEntry& entry, Clock::time_point now) {
    const auto left_out = entry.refused ? take_room(now) : std::uint64_t{0};
    if (!left_out) return;
    spdlog::log(entry.refused ? spdlog::level::warn : spdlog::level::info,
                "audit peer={} listener={} user_agent={} action={} model={} version={} setting={} "
                "from={} to={} save={} result={}{}",
                cut(entry.peer),
                entry.door,
                cut(entry.user_agent),
                entry.action,
                cut(entry.model),
                cut(entry.version),
                cut(entry.setting),
                cut(entry.from),
                cut(entry.to),
                entry.save,
                cut(entry.result),
                *left_out > 0 ? " left_out=" + std::to_string(*left_out) : "");
}

std::optional<std::uint64_t> AuditLog::take_room(Clock::time_point now) {
    const MutexLock lock(mutex_);
    const Clock::time_point full_at = std::max(full_at_, now) + kEvery;
    if (full_at > now + kMostRefused * kEvery) {
        ++left_out_;
        return std::nullopt;
    }
    full_at_ = full_at;
    return std::exchange(left_out_, 0);
}

}  // namespace lepton::server
