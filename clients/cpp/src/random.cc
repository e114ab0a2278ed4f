#include "random.h"

#include <random>

namespace lepton::client {

std::uint64_t random_bits() {
    thread_local std::uint64_t state = [] {
        std::random_device device;
        return std::uint64_t{device()} << 32 | device();
    }();
    // SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

}  // namespace lepton::client
