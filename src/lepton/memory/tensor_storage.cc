#include "lepton/memory/tensor_storage.h"

#include <memory>

namespace lepton::memory {
namespace {

// What blocks are made of, so that they are aligned.
struct alignas(kTensorAlignment) Line {
    std::byte bytes[kTensorAlignment];
};

template <class T>
struct PoolAllocator {
    using value_type = T;

    explicit PoolAllocator(BufferPool& of) : pool(&of) {}
    template <class Other>
    explicit PoolAllocator(const PoolAllocator<Other>& other) : pool(other.pool) {}
    T* allocate(std::size_t count) {
        return reinterpret_cast<T*>(pool->take_block(count * sizeof(T)));
    }
    void deallocate(T* block, std::size_t count) {
        pool->give_back_block(reinterpret_cast<std::byte*>(block), count * sizeof(T));
    }
    bool operator==(const PoolAllocator&) const = default;

    BufferPool* pool;
};

}  // namespace

TensorStorage TensorPool::take(std::size_t bytes) {
    const std::size_t lines = (bytes + sizeof(Line) - 1) / sizeof(Line);
    auto block = std::allocate_shared_for_overwrite<Line[]>(PoolAllocator<Line>(pool_), lines);
    auto* const start = reinterpret_cast<std::byte*>(block.get());
    return {std::move(block), start};
}

}  // namespace lepton::memory
