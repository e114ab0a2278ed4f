#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "lepton/core/sync.h"
#include "lepton/memory/buffer.h"
#include "lepton/memory/unmapper.h"

namespace lepton::memory {

// Keeps released buffers by size class (powers of two), so that a request's memory was the memory
// of an earlier one. A class keeps at most kKeptBytesPerClass; larger requests than kLargestClass
// go to the allocator and back. All of it together, handed out and idle, stays within a budget, but
// for buffers so small that connections alone bound them: an answer that says so must be possible
// when the budget is spent. Must outlive its buffers. Thread-safe.
class BufferPool {
public:
    static constexpr std::size_t kSmallestClass = std::size_t{1} << 9;
    static constexpr std::size_t kLargestClass = std::size_t{1} << 24;
    static constexpr std::size_t kKeptBytesPerClass = std::size_t{1} << 24;

    // From this on a buffer is a mapping of its own: it grows by moving pages instead of bytes, and
    // is the system's again when it is freed, whatever lies behind it.
    static constexpr std::size_t kSmallestMapping = std::size_t{1} << 20;

    static constexpr std::size_t kAlwaysGiven = std::size_t{1} << 19;

    explicit BufferPool(std::size_t budget = std::numeric_limits<std::size_t>::max())
        : budget_(budget) {}
    ~BufferPool();
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;

    // An empty buffer of at least `capacity` bytes. Throws std::bad_alloc, also for more than the
    // budget allows.
    [[nodiscard]] Buffer take(std::size_t capacity);

    // Bytes held idle, over all classes.
    [[nodiscard]] std::size_t idle_bytes() const;
    // Bytes taken from the allocator: held idle, or in buffers.
    [[nodiscard]] std::size_t held_bytes() const { return held_.load(std::memory_order_relaxed); }
    // How often the budget was spent.
    [[nodiscard]] std::uint64_t refusals() const {
        return refusals_.load(std::memory_order_relaxed);
    }

    // The same as bare memory, for what counts its users by itself. Given back with the `bytes`
    // that were asked for.
    [[nodiscard]] std::byte* take_block(std::size_t bytes);
    void give_back_block(std::byte* block, std::size_t bytes);

    // Gives what nobody has wanted since the last call back to the allocator, but for a little.
    void trim();

private:
    friend class Buffer;
    void give_back(std::byte* data, std::size_t capacity);
    // Whether `data` could be made larger as it is: to `wanted` bytes or more, which `capacity`
    // then tells. Throws std::bad_alloc when the budget is spent.
    bool remap(std::byte*& data, std::size_t& capacity, std::size_t wanted);
    // Counts so many bytes more as held. Throws std::bad_alloc when the budget is spent.
    void charge(std::size_t bytes);
    std::byte* allocate(std::size_t capacity);
    void deallocate(std::byte* data, std::size_t capacity);
    // Gives everything idle back to the allocator.
    void release_idle();

    static constexpr std::size_t kClasses = 16;  // 2^9 .. 2^24
    struct SizeClass {
        mutable Mutex mutex;
        std::vector<std::byte*> idle LEPTON_GUARDED_BY(mutex);
        std::size_t fewest LEPTON_GUARDED_BY(mutex) = 0;  // Idle at any time since the last trim().
    };
    void release(SizeClass& size_class, std::size_t count, std::size_t capacity)
        LEPTON_REQUIRES(size_class.mutex);

    const std::size_t budget_;
    // Counters that stand for themselves: relaxed.
    std::atomic<std::size_t> held_{0};
    std::atomic<std::uint64_t> refusals_{0};
    std::array<SizeClass, kClasses> classes_;
    Unmapper unmapper_;
};

}  // namespace lepton::memory
