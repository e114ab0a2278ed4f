#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "lepton/memory/buffer_pool.h"

namespace lepton::net {

// What the kernel has not taken yet, in order, in parts that are never moved. Large bodies are
// taken over where they lie. Not thread-safe; the owner serialises.
class UnsentBytes {
public:
    // From this on a body is taken over, and a part is not added to.
    static constexpr std::size_t kLargePart = std::size_t{256} << 10;

    explicit UnsentBytes(memory::BufferPool& pool) : pool_(pool) {}

    [[nodiscard]] bool empty() const { return bytes_ == 0; }
    [[nodiscard]] std::size_t size() const { return bytes_; }
    // The first of them, as many as lie together.
    [[nodiscard]] std::span<const std::byte> front() const {
        if (parts_.empty()) return {};
        return parts_.front().bytes().subspan(sent_);
    }

    // Throw std::bad_alloc.
    void append(std::span<const std::byte> bytes);
    // `body` without its first `sent` bytes. Leaves an empty one of the same pool.
    void append(memory::Buffer& body, std::size_t sent);

    // Drops the first `count` bytes. Precondition: front() has as many.
    void consume(std::size_t count);

private:
    memory::BufferPool& pool_;
    std::vector<memory::Buffer> parts_;
    std::size_t sent_ = 0;   // How much of the first part is sent.
    std::size_t bytes_ = 0;  // The sum of all parts, less sent_.
};

}  // namespace lepton::net
