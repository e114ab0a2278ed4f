#pragma once

#include <array>
#include <cstddef>

namespace lepton {

// Memory for the many small, short-lived objects that a library such as nghttp2 makes per stream:
// blocks in powers of two that are handed out again instead of going back to the allocator. Belongs
// to one connection. Not thread-safe; the owner serialises.
class BlockCache {
public:
    BlockCache() = default;
    ~BlockCache();
    BlockCache(const BlockCache&) = delete;
    BlockCache& operator=(const BlockCache&) = delete;

    // They do what malloc, free and realloc do: null means no memory, and null may be given back.
    void* take(std::size_t bytes) noexcept;
    void give_back(void* block) noexcept;
    void* resize(void* block, std::size_t bytes) noexcept;
    // Gives the blocks that nobody holds back to the allocator.
    void trim() noexcept;

private:
    struct Block;
    static constexpr std::size_t kClasses = 6;  // 64 .. 2048 bytes.
    static constexpr std::size_t kSmallestClass = 64;
    static constexpr std::size_t kKeptBytesPerClass = std::size_t{64} << 10;

    static std::size_t class_of(std::size_t bytes);  // kClasses: too large to be kept.

    struct SizeClass {
        Block* idle = nullptr;
        std::size_t kept_bytes = 0;
    };
    std::array<SizeClass, kClasses> classes_;
};

}  // namespace lepton
