#pragma once

#include <cstddef>

#include "lepton/core/tensor_storage.h"
#include "lepton/memory/buffer_pool.h"

namespace lepton::memory {

// Gives out blocks of a pool's memory, each with its count of users in the same piece, which is
// back in the pool when the last of them has gone. The pool must outlive them all. Thread-safe.
class TensorPool final : public TensorMemory {
public:
    explicit TensorPool(BufferPool& pool) : pool_(pool) {}
    [[nodiscard]] TensorStorage take(std::size_t bytes) override;

private:
    BufferPool& pool_;
};

}  // namespace lepton::memory
