#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string_view>
#include <vector>

#include "lepton/core/request_record.h"

namespace lepton::observe {

// Keeps the slowest requests of the last minutes and the latest that missed their deadlines, in
// memory of fixed size. Thread-safe, and nobody waits: a request that is not slow costs two loads,
// and one that finds the lock taken is not kept.
//
// Each minute has a slice of its own, so that what was slow an hour ago displaces nothing of the
// last minutes.
class SlowRequests {
public:
    static constexpr std::size_t kKept = 64;
    static constexpr Clock::duration kSlice = std::chrono::minutes(1);
    static constexpr Clock::duration kWindow = std::chrono::minutes(5);

    SlowRequests();

    // Takes note of a completed request.
    void note(const InferCall& call) noexcept;

    // Returns at most `limit` of each kind, for that model or for all (empty).
    [[nodiscard]] NotableRequests read(std::string_view model,
                                       std::size_t limit,
                                       Clock::time_point now) const;

private:
    static constexpr std::size_t kSlices = kWindow / kSlice + 1;  // The current slice is not full.
    using Count = Clock::rep;

    struct Slice {
        Count number = -1;  // Number of the slice, counted from the clock's epoch.
        std::vector<RequestRecord> slowest;
    };

    void note_slow(const InferCall& call) noexcept;
    void note_missed(const InferCall& call) noexcept;

    // A request is looked at only if it takes longer or ends later than these. Relaxed: a stale
    // value costs a vain look, or one record at the start of a slice.
    std::atomic<Count> longer_than_{-1};
    std::atomic<Count> slice_ends_{std::numeric_limits<Count>::min()};
    mutable std::mutex mutex_;  // Guards all below. Only readers wait for it.
    Count current_ = -1;        // Number of the slice that is being filled.
    std::array<Slice, kSlices> slices_;
    std::vector<RequestRecord> missed_;  // A ring.
    std::size_t next_missed_ = 0;
};

}  // namespace lepton::observe
