#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace lepton::memory {

class BufferPool;

// Bytes that grow, owned by one holder, given back to their pool at the end. The start is 64-byte
// aligned, and kPadding bytes past the capacity may be read (simdjson does). Not thread-safe; may
// be released on another thread than the one that took it.
class Buffer {
public:
    static constexpr std::size_t kAlignment = 64;
    static constexpr std::size_t kPadding = 64;

    Buffer() = default;
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        Buffer(std::move(other)).swap(*this);
        return *this;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { release(); }

    [[nodiscard]] std::byte* data() { return data_; }
    [[nodiscard]] const std::byte* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
    [[nodiscard]] std::string_view text() const {
        return {reinterpret_cast<const char*>(data_), size_};
    }

    // Keeps the content; new bytes are indeterminate. Grows through the pool, so that data() may
    // change. Precondition of growing: the buffer was taken from a pool.
    void resize(std::size_t size) {
        if (size > capacity_) grow(size);
        size_ = size;
    }
    void reserve(std::size_t capacity) {
        if (capacity > capacity_) grow(capacity);
    }
    void clear() { size_ = 0; }

    // Makes room for `count` more bytes and says where they go. Grows by half at least, because the
    // pool hands out its largest buffers to measure.
    std::byte* extend(std::size_t count) {
        const std::size_t start = size_;
        if (start + count > capacity_) grow(std::max(start + count, capacity_ + capacity_ / 2));
        resize(size_ + count);
        return data_ + start;
    }
    void append(std::span<const std::byte> bytes) {
        if (!bytes.empty()) std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
    }
    void append(std::string_view text) {
        append(std::as_bytes(std::span(text.data(), text.size())));
    }
    void append(char c) { *extend(1) = static_cast<std::byte>(c); }

    void release();  // To the pool; the buffer is then empty and poolless.
    void swap(Buffer& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

private:
    friend class BufferPool;
    Buffer(BufferPool* pool, std::byte* data, std::size_t capacity)
        : pool_(pool), data_(data), capacity_(capacity) {}
    void grow(std::size_t capacity);

    BufferPool* pool_ = nullptr;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace lepton::memory
