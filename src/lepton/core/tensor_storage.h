#pragma once

#include <cstddef>
#include <memory>

namespace lepton {

// What the start of a tensor is aligned to where there is a choice: for vector instructions.
inline constexpr std::size_t kTensorAlignment = 64;

// A block of memory that tensors lie in, shared by all who still read them. Its start is aligned.
using TensorStorage = std::shared_ptr<std::byte[]>;

// Where tensors are put that outlive what computed them, or the message that brought them; `memory`
// implements it. Thread-safe.
class TensorMemory {
public:
    // A block of at least that many bytes, which are indeterminate. Throws std::bad_alloc.
    [[nodiscard]] virtual TensorStorage take(std::size_t bytes) = 0;

protected:
    ~TensorMemory() = default;
};

}  // namespace lepton
