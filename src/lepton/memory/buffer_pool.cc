#include "lepton/memory/buffer_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <new>

#include "lepton/core/check.h"

namespace lepton::memory {
namespace {

// What trim() leaves of a class, for the next request.
constexpr std::size_t kLeftPerClass = std::size_t{256} << 10;

// TSan does not see mremap: it takes what was at the new address before for the buffer's own past.
#ifdef __SANITIZE_THREAD__
constexpr bool kCanRemap = false;
#else
constexpr bool kCanRemap = true;
#endif

std::size_t class_of(std::size_t capacity) {
    return static_cast<std::size_t>(std::countr_zero(capacity / BufferPool::kSmallestClass));
}

// The capacity of its size class, if there is one.
std::size_t capacity_for(std::size_t wanted) {
    if (wanted > BufferPool::kLargestClass) return wanted;
    return std::bit_ceil(std::max(wanted, BufferPool::kSmallestClass));
}

bool is_mapped(std::size_t capacity) { return capacity >= BufferPool::kSmallestMapping; }
std::size_t mapped_bytes(std::size_t capacity) {
    static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (capacity + Buffer::kPadding + page - 1) / page * page;
}

// Both throw std::bad_alloc.
void* map(std::size_t bytes) {
    void* const data =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    return data;
}
void* allocate_aligned(std::size_t capacity) {
    return ::operator new(capacity + Buffer::kPadding, std::align_val_t{Buffer::kAlignment});
}

}  // namespace

BufferPool::~BufferPool() { release_idle(); }

void BufferPool::release_idle() {
    for (std::size_t i = 0; i < kClasses; ++i) {
        SizeClass& size_class = classes_[i];
        const MutexLock lock(size_class.mutex);
        release(size_class, size_class.idle.size(), kSmallestClass << i);
    }
}

void BufferPool::trim() {
    for (std::size_t i = 0; i < kClasses; ++i) {
        const std::size_t capacity = kSmallestClass << i;
        SizeClass& size_class = classes_[i];
        const MutexLock lock(size_class.mutex);
        const std::size_t left = kLeftPerClass / capacity;
        if (size_class.fewest > left) release(size_class, size_class.fewest - left, capacity);
        size_class.fewest = size_class.idle.size();
    }
}

// The ones that have been idle for longest, which lie at the front.
void BufferPool::release(SizeClass& size_class, std::size_t count, std::size_t capacity) {
    const auto end = size_class.idle.begin() + static_cast<std::ptrdiff_t>(count);
    for (auto at = size_class.idle.begin(); at != end; ++at) deallocate(*at, capacity);
    size_class.idle.erase(size_class.idle.begin(), end);
    size_class.fewest = std::min(size_class.fewest, size_class.idle.size());
}

void BufferPool::charge(std::size_t bytes) {
    const auto spent = [this, bytes] {
        const std::size_t held = held_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
        if (bytes <= kAlwaysGiven || held <= budget_) return false;
        held_.fetch_sub(bytes, std::memory_order_relaxed);
        return true;
    };
    if (!spent()) return;
    release_idle();
    if (!spent()) return;
    refusals_.fetch_add(1, std::memory_order_relaxed);
    throw std::bad_alloc();
}

std::byte* BufferPool::allocate(std::size_t capacity) {
    charge(capacity);
    try {
        return static_cast<std::byte*>(is_mapped(capacity) ? map(mapped_bytes(capacity))
                                                           : allocate_aligned(capacity));
    } catch (const std::bad_alloc&) {
        held_.fetch_sub(capacity, std::memory_order_relaxed);
        refusals_.fetch_add(1, std::memory_order_relaxed);
        throw;
    }
}

void BufferPool::deallocate(std::byte* data, std::size_t capacity) {
    if (capacity >= Unmapper::kWorthIt) {
        unmapper_.add(data, mapped_bytes(capacity));
    } else if (is_mapped(capacity)) {
        LEPTON_CHECK(::munmap(data, mapped_bytes(capacity)) == 0);
    } else {
        ::operator delete(data, std::align_val_t{Buffer::kAlignment});
    }
    held_.fetch_sub(capacity, std::memory_order_relaxed);
}

bool BufferPool::remap(std::byte*& data, std::size_t& capacity, std::size_t wanted) {
    if (!kCanRemap || !is_mapped(capacity)) return false;
    wanted = capacity_for(wanted);
    charge(wanted - capacity);
    void* const moved =
        ::mremap(data, mapped_bytes(capacity), mapped_bytes(wanted), MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        held_.fetch_sub(wanted - capacity, std::memory_order_relaxed);
        return false;
    }
    data = static_cast<std::byte*>(moved);
    capacity = wanted;
    return true;
}

Buffer BufferPool::take(std::size_t capacity) {
    return {this, take_block(capacity), capacity_for(capacity)};
}

std::byte* BufferPool::take_block(std::size_t bytes) {
    const std::size_t capacity = capacity_for(bytes);
    if (capacity > kLargestClass) return allocate(capacity);
    SizeClass& size_class = classes_[class_of(capacity)];
    {
        const MutexLock lock(size_class.mutex);
        if (!size_class.idle.empty()) {
            std::byte* data = size_class.idle.back();
            size_class.idle.pop_back();
            size_class.fewest = std::min(size_class.fewest, size_class.idle.size());
            return data;
        }
    }
    return allocate(capacity);
}

void BufferPool::give_back_block(std::byte* block, std::size_t bytes) {
    give_back(block, capacity_for(bytes));
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
    deallocate(data, capacity);
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
