#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace lepton::openvino {

struct FreeBytes {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<std::byte, FreeBytes>;

inline constexpr std::size_t kAlignment = 64;  // A cache line, and the widest vector register.

// Zeroed memory of at least one line, so that an empty tensor has an address too.
[[nodiscard]] inline AlignedBytes make_aligned_bytes(std::size_t size) {
    const std::size_t whole_lines = (size / kAlignment + 1) * kAlignment;
    auto* bytes = static_cast<std::byte*>(std::aligned_alloc(kAlignment, whole_lines));
    if (bytes == nullptr) throw std::bad_alloc();
    std::memset(bytes, 0, whole_lines);
    return AlignedBytes(bytes);
}

[[nodiscard]] inline bool is_aligned(const std::byte* data) {
    return reinterpret_cast<std::uintptr_t>(data) % kAlignment == 0;
}

}  // namespace lepton::openvino
