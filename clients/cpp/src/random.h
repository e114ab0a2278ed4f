#pragma once

#include <cstdint>

namespace lepton::client {

// Random bits for choices that only need to differ between threads and processes, such as backoff
// and the choice of endpoints. Seeded once per thread. Thread-safe.
[[nodiscard]] std::uint64_t random_bits();

// A number that is uniform in [0, 1), from 64 random bits.
[[nodiscard]] constexpr double to_uniform(std::uint64_t bits) {
    return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace lepton::client
