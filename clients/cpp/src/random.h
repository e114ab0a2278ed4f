#pragma once

#include <cstdint>

namespace lepton::client {

// Random bits for choices that need no more than to differ between threads and processes: back-off,
// draws of endpoints. Seeded once per thread. Thread-safe.
[[nodiscard]] std::uint64_t random_bits();

// Uniform in [0, 1), from 64 random bits.
[[nodiscard]] constexpr double to_uniform(std::uint64_t bits) {
    return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace lepton::client
