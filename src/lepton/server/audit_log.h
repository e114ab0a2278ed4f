#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "lepton/core/clock.h"
#include "lepton/core/sync.h"
#include "lepton/protocol/admin/audit.h"

namespace lepton::server {

// Logs who has changed what, one line each, and who was refused. Refusals could flood the log, so
// only as many are written as somebody can read. Thread-safe.
class AuditLog {
public:
    void write(const protocol::AuditEntry& entry, Clock::time_point now = Clock::now());

    // This many at once, then one every kEvery.
    static constexpr int kMostRefused = 20;
    static constexpr Clock::duration kEvery = std::chrono::seconds(1);

private:
    // Returns how many before this one were not logged; nothing if this one must not be logged
    // either.
    std::optional<std::uint64_t> take_room(Clock::time_point now);

    Mutex mutex_;
    // From then on there is room for kMostRefused.
    Clock::time_point full_at_ LEPTON_GUARDED_BY(mutex_){};
    std::uint64_t left_out_ LEPTON_GUARDED_BY(mutex_) = 0;
};

}  // namespace lepton::server
