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
// and one that meets another at the lock is not kept.
//
// Each minute has a slice of its own, so that what was slow an hour ago hides nothing, and nothing
// that belongs to the last minutes was thrown away for the sake of it.
class SlowRequests {
public:
    static constexpr std::size_t kKept = 64;
    static constexpr Clock::duration kSlice = std::chrono::minutes(1);
    static constexpr Clock::duration kWindow = std::chrono::minutes(5);

    SlowRequests();

    // Of a request that is over.
    void note(const InferCall& call) noexcept;

    // At most `limit` of each kind, of that model or of all (empty).
    [[nodiscard]] NotableRequests read(std::string_view model,
                                       std::size_t limit,
                                       Clock::time_point now) const;

private:
    static constexpr std::size_t kSlices = kWindow / kSlice + 1;  // The current one is not full.
    using Count = Clock::rep;

    struct Slice {
        Count number = -1;  // Of slices since the clock's epoch.
        std::vector<RequestRecord> slowest;
    };

    void note_slow(const InferCall& call) noexcept;
    void note_missed(const InferCall& call) noexcept;

    // A request has to take longer, or to end later, to be looked at. Relaxed: a stale value costs
    // a look in vain, or a record of the first moment of a slice.
    std::atomic<Count> longer_than_{-1};
    std::atomic<Count> slice_ends_{std::numeric_limits<Count>::min()};
    mutable std::mutex mutex_;  // Guards all below. Only readers wait for it.
    Count current_ = -1;        // Number of the slice that is being filled.
    std::array<Slice, kSlices> slices_;
    std::vector<RequestRecord> missed_;  // A ring.
    std::size_t next_missed_ = 0;
};

}  // namespace lepton::observe
