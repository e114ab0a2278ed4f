#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace lepton {

// A buffer of bytes that starts on a cache line, is not initialized, grows and never shrinks, so
// that filling it again and again costs no allocation. Movable; views into it survive a move. Not
// thread-safe.
class ByteBuffer {
public:
    static constexpr std::size_t kAlignment = 64;

    ByteBuffer() = default;
    ByteBuffer(ByteBuffer&& other) noexcept { swap(other); }
    ByteBuffer& operator=(ByteBuffer&& other) noexcept {
        swap(other);
        return *this;
    }

    [[nodiscard]] std::byte* data() { return bytes_.get(); }
    [[nodiscard]] const std::byte* data() const { return bytes_.get(); }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] std::span<const std::byte> view() const { return {bytes_.get(), size_}; }

    // The storage behind size(): fill it, then take it in with grow_by().
    [[nodiscard]] std::span<std::byte> room() { return {bytes_.get() + size_, capacity_ - size_}; }
    // Precondition: count <= room().size().
    void grow_by(std::size_t count) { size_ += count; }
    // Precondition: size <= capacity(). New bytes keep whatever the storage held.
    void resize(std::size_t size) { size_ = size; }
    void clear() { size_ = 0; }

    // Makes capacity() at least `capacity` and keeps the first size() bytes. Views into the buffer
    // end when it grows.
    void reserve(std::size_t capacity);

    void swap(ByteBuffer& other) noexcept {
        std::swap(bytes_, other.bytes_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

private:
    struct Free {
        void operator()(std::byte* bytes) const noexcept;
    };
    std::unique_ptr<std::byte[], Free> bytes_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace lepton
