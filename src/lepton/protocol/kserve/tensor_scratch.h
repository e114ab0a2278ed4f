#pragma once

#include <cstddef>
#include <vector>

#include "lepton/core/request.h"
#include "lepton/memory/buffer_pool.h"

namespace lepton::protocol {

// Tensors that a decoder writes, rather than views, into the exchange's scratch buffer. Growing
// moves that buffer, so that a request's tensors are pointed at their bytes only by place().
// Not thread-safe; one per thread, kept for its storage.
class TensorScratch {
public:
    void begin(memory::Buffer& buffer, memory::BufferPool& pool);

    // The next bytes belong to that input; they begin 64-byte aligned, as engines like it.
    void open(std::size_t input);

    // Adds `count` bytes to the open tensor. The pointer is valid until the next extend().
    std::byte* extend(std::size_t count);
    // Takes the last `count` bytes back.
    void shrink(std::size_t count);

    // Points every input opened since begin() at its bytes. Nothing may be written afterwards.
    void place(Request& request) const;

private:
    struct Piece {
        std::size_t input;
        std::size_t offset;
        std::size_t size;
    };
    memory::Buffer* buffer_ = nullptr;
    std::vector<Piece> pieces_;
};

}  // namespace lepton::protocol
