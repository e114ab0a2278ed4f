#include "lepton/protocol/kserve/tensor_scratch.h"

#include <algorithm>

namespace lepton::protocol {
namespace {

constexpr std::size_t kFirstCapacity = 512;

}  // namespace

void TensorScratch::begin(memory::Buffer& buffer, memory::BufferPool& pool) {
    if (buffer.capacity() == 0) buffer = pool.take(kFirstCapacity);
    buffer.clear();
    buffer_ = &buffer;
    pieces_.clear();
}

void TensorScratch::open(std::size_t input) {
    constexpr std::size_t kMask = memory::Buffer::kAlignment - 1;
    const std::size_t offset = (buffer_->size() + kMask) & ~kMask;
    buffer_->resize(offset);
    pieces_.push_back({input, offset, 0});
}

std::byte* TensorScratch::extend(std::size_t count) {
    const std::size_t needed = buffer_->size() + count;
    // Above the pool's classes a buffer grows to exactly what was asked for: double it instead.
    if (needed > buffer_->capacity()) buffer_->reserve(std::max(needed, 2 * buffer_->capacity()));
    pieces_.back().size += count;
    return buffer_->extend(count);
}

void TensorScratch::shrink(std::size_t count) {
    pieces_.back().size -= count;
    buffer_->resize(buffer_->size() - count);
}

void TensorScratch::place(Request& request) const {
    for (const Piece& piece : pieces_) {
        request.inputs[piece.input].tensor.data =
            std::span(buffer_->data() + piece.offset, piece.size);
    }
}

}  // namespace lepton::protocol
