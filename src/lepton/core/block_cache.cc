#include "lepton/core/block_cache.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace lepton {

// Stands before the bytes that are handed out, and keeps them aligned for every type.
struct alignas(std::max_align_t) BlockCache::Block {
    std::size_t bytes;  // That the holder may use.
    Block* next;        // While idle.

    void* content() { return this + 1; }
    static Block* of(void* content) { return static_cast<Block*>(content) - 1; }
};

std::size_t BlockCache::class_of(std::size_t bytes) {
    const std::size_t rounded = std::bit_ceil(std::max(bytes, kSmallestClass));
    return std::min(static_cast<std::size_t>(std::countr_zero(rounded / kSmallestClass)), kClasses);
}

BlockCache::~BlockCache() { trim(); }

void BlockCache::trim() noexcept {
    for (SizeClass& size_class : classes_) {
        while (Block* block = size_class.idle) {
            size_class.idle = block->next;
            std::free(block);
        }
        size_class.kept_bytes = 0;
    }
}

void* BlockCache::take(std::size_t bytes) noexcept {
    const std::size_t index = class_of(bytes);
    if (index < kClasses) {
        SizeClass& size_class = classes_[index];
        if (Block* block = size_class.idle) {
            size_class.idle = block->next;
            size_class.kept_bytes -= block->bytes;
            return block->content();
        }
        bytes = kSmallestClass << index;
    }
    auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + bytes));
    if (block == nullptr) return nullptr;
    block->bytes = bytes;
    return block->content();
}

void BlockCache::give_back(void* content) noexcept {
    if (content == nullptr) return;
    Block* block = Block::of(content);
    const std::size_t index = class_of(block->bytes);
    if (index == kClasses || classes_[index].kept_bytes + block->bytes > kKeptBytesPerClass) {
        std::free(block);
        return;
    }
    SizeClass& size_class = classes_[index];
    block->next = size_class.idle;
    size_class.idle = block;
    size_class.kept_bytes += block->bytes;
}

void* BlockCache::resize(void* content, std::size_t bytes) noexcept {
    if (content == nullptr) return take(bytes);
    const std::size_t old_bytes = Block::of(content)->bytes;
    if (bytes <= old_bytes) return content;
    void* larger = take(bytes);
    if (larger == nullptr) return nullptr;
    std::memcpy(larger, content, old_bytes);
    give_back(content);
    return larger;
}

}  // namespace lepton
