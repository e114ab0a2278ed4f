#include "lepton/memory/buffer.h"

#include "lepton/core/check.h"
#include "lepton/memory/buffer_pool.h"

namespace lepton::memory {

void Buffer::release() {
    if (pool_ != nullptr) pool_->give_back(data_, capacity_);
    pool_ = nullptr;
    data_ = nullptr;
    size_ = capacity_ = 0;
}

void Buffer::grow(std::size_t capacity) {
    LEPTON_CHECK(pool_ != nullptr);
    if (pool_->remap(data_, capacity_, capacity)) return;
    Buffer larger = pool_->take(capacity);
    if (size_ > 0) std::memcpy(larger.data_, data_, size_);
    larger.size_ = size_;
    swap(larger);
}

}  // namespace lepton::memory
