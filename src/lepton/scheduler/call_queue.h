#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/scheduler/latency_model.h"

namespace lepton::scheduler {

// A call that waits, with what the plan asks of it at hand.
struct QueuedCall {
    std::uint64_t rank = 0;                   // What the queue is ordered by first,
    Clock::time_point due;                    // and among equals: the virtual deadline.
    Clock::time_point deadline;               // The call's own; kNoDeadline without one.
    Clock::time_point expires = kNoDeadline;  // When it has waited for too long.
    Clock::time_point arrived;
    std::int64_t rows = 1;
    std::size_t bytes = 0;  // The size of its input tensors.
    std::uint64_t shape_class = 0;
    std::uint32_t priority = 0;             // 1 is the highest.
    std::uint64_t client = 0;               // InferCall's.
    const LatencyModel* latency = nullptr;  // The model for rows like the call's.
    InferCall* call = nullptr;
    bool tried = false;  // It is let in to be measured, though it looks too late.
};

// The calls that wait for one model, lowest `rank` first, earliest `due`, then by arrival. One
// block of memory: a plan reads it from front to back, a new call is mostly among the last. Holds
// the calls without owning them. Not thread-safe; the owner serialises.
class CallQueue {
public:
    struct Share {
        std::uint64_t client = 0;
        std::uint32_t priority = 0;
        std::size_t calls = 0;
    };

    [[nodiscard]] bool empty() const { return begin_ == calls_.size(); }
    [[nodiscard]] std::size_t size() const { return calls_.size() - begin_; }
    [[nodiscard]] std::int64_t rows() const { return rows_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::span<const QueuedCall> calls() const {
        return std::span(calls_).subspan(begin_);
    }
    // One for each client that has calls here, and each priority that these have.
    [[nodiscard]] std::span<const Share> shares() const { return shares_; }
    // Calls of the client of this one that are as important.
    [[nodiscard]] std::size_t calls_like(const QueuedCall& call) const;
    // Calls as important as that.
    [[nodiscard]] std::size_t calls_of(std::uint32_t priority) const;
    // Where insert() would put it.
    [[nodiscard]] std::size_t place_of(const QueuedCall& call) const;

    // Returns its place.
    std::size_t insert(const QueuedCall& call);
    // Takes out what is at these places, which ascend.
    void remove(std::span<const std::size_t> places);
    void remove(std::size_t place) { remove(std::span(&place, 1)); }

private:
    std::vector<QueuedCall>
        calls_;  // [begin_, size) wait; what is before is free for front places.
    std::size_t begin_ = 0;
    std::vector<Share> shares_;  // Ascending by client and priority.
    std::int64_t rows_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace lepton::scheduler
