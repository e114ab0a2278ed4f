#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "lepton/core/clock.h"
#include "lepton/core/sync.h"
#include "lepton/protocol/admin/audit.h"

namespace lepton::server {

// Logs who has changed what, a line each, and who was refused; of these, that a flood would fill
// the log with, only as many as somebody reads. Thread-safe.
class AuditLog {
public:
    void write(const protocol::AuditEntry& entry, Clock::time_point now = Clock::now());

    // A few at once, then one for each kEvery.
    static constexpr int kMostRefused = 20;
    static constexpr Clock::duration kEvery = std::chrono::seconds(1);

private:
    // How many before this one were not logged; nothing: nor may this one be.
    std::optional<std::uint64_t> take_room(Clock::time_point now);

    Mutex mutex_;
    Clock::time_point full_at_ LEPTON_GUARDED_BY(mutex_){};  // kMostRefused have room from then.
    std::uint64_t left_out_ LEPTON_GUARDED_BY(mutex_) = 0;
};

}  // namespace lepton::server
