#include "lepton/memory/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <new>

namespace lepton::memory {
namespace {

std::byte* allocate(std::size_t capacity) {
    return static_cast<std::byte*>(
        ::operator new(capacity + Buffer::kPadding, std::align_val_t{Buffer::kAlignment}));
}

void deallocate(std::byte* data) { ::operator delete(data, std::align_val_t{Buffer::kAlignment}); }

std::size_t class_of(std::size_t capacity) {
    return static_cast<std::size_t>(std::countr_zero(capacity / BufferPool::kSmallestClass));
}

}  // namespace

BufferPool::~BufferPool() {
    for (SizeClass& size_class : classes_) {
        const MutexLock lock(size_class.mutex);
        for (std::byte* data : size_class.idle) deallocate(data);
    }
}

Buffer BufferPool::take(std::size_t capacity) {
    if (capacity > kLargestClass) return {this, allocate(capacity), capacity};
    capacity = std::bit_ceil(std::max(capacity, kSmallestClass));
    SizeClass& size_class = classes_[class_of(capacity)];
    {
        const MutexLock lock(size_class.mutex);
        if (!size_class.idle.empty()) {
            std::byte* data = size_class.idle.back();
            size_class.idle.pop_back();
            return {this, data, capacity};
        }
    }
    return {this, allocate(capacity), capacity};
}

void BufferPool::give_back(std::byte* data, std::size_t capacity) {
    if (capacity <= kLargestClass) {
        SizeClass& size_class = classes_[class_of(capacity)];
        const MutexLock lock(size_class.mutex);
        if ((size_class.idle.size() + 1) * capacity <= kKeptBytesPerClass) {
            size_class.idle.push_back(data);
            return;
        }
    }
    deallocate(data);
}

std::size_t BufferPool::idle_bytes() const {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < kClasses; ++i) {
        const MutexLock lock(classes_[i].mutex);
        bytes += classes_[i].idle.size() * (kSmallestClass << i);
    }
    return bytes;
}

}  // namespace lepton::memory
