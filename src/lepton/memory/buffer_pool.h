#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lepton/core/sync.h"
#include "lepton/memory/buffer.h"

namespace lepton::memory {

// Keeps released buffers by size class (powers of two), so that a request's memory was the memory
// of an earlier one. A class keeps at most kKeptBytesPerClass; larger requests than kLargestClass
// go to the allocator and back. Must outlive its buffers. Thread-safe.
class BufferPool {
public:
    static constexpr std::size_t kSmallestClass = std::size_t{1} << 9;
    static constexpr std::size_t kLargestClass = std::size_t{1} << 24;
    static constexpr std::size_t kKeptBytesPerClass = std::size_t{1} << 24;

    BufferPool() = default;
    ~BufferPool();
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;

    // An empty buffer of at least `capacity` bytes. Throws std::bad_alloc.
    [[nodiscard]] Buffer take(std::size_t capacity);

    // Bytes held idle, over all classes.
    [[nodiscard]] std::size_t idle_bytes() const;

private:
    friend class Buffer;
    void give_back(std::byte* data, std::size_t capacity);

    static constexpr std::size_t kClasses = 16;  // 2^9 .. 2^24
    struct SizeClass {
        mutable Mutex mutex;
        std::vector<std::byte*> idle LEPTON_GUARDED_BY(mutex);
    };
    std::array<SizeClass, kClasses> classes_;
};

}  // namespace lepton::memory
