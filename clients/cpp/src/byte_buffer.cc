#include "lepton/byte_buffer.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace lepton {

void ByteBuffer::Free::operator()(std::byte* bytes) const noexcept {
    ::operator delete[](bytes, std::align_val_t{kAlignment});
}

void ByteBuffer::reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    capacity = std::max(capacity, 2 * capacity_);
    std::unique_ptr<std::byte[], Free> bytes(
        static_cast<std::byte*>(::operator new[](capacity, std::align_val_t{kAlignment})));
    if (size_ > 0) std::memcpy(bytes.get(), bytes_.get(), size_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
}

}  // namespace lepton
