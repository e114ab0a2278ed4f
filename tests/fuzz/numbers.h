#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

namespace lepton::fuzz {

// Makes numbers from an input's bytes, and zeros once there are no more.
class Numbers {
public:
    explicit Numbers(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    std::uint8_t byte() {
        if (bytes_.empty()) return 0;
        const std::uint8_t first = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return first;
    }
    std::size_t below(std::size_t bound) { return byte() % bound; }
    // Mostly small, and otherwise at the edges of what arithmetic can bear, or anything.
    std::int64_t extent() {
        constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
        constexpr std::array<std::int64_t, 12> kEdges = {kMax,
                                                         kMax - 1,
                                                         kMax / 2,
                                                         kMax / 4,
                                                         kMax / 8,
                                                         std::int64_t{1} << 32,
                                                         -1,
                                                         -2,
                                                         1 << 20,
                                                         1025,
                                                         65'537,
                                                         std::numeric_limits<std::int64_t>::min()};
        const std::uint8_t kind = byte();
        if (kind < 200) return kind % 10;
        if (kind < 250) return kEdges[kind % kEdges.size()];
        std::int64_t any = 0;
        const std::size_t size = std::min(sizeof any, bytes_.size());
        std::memcpy(&any, bytes_.data(), size);
        bytes_ = bytes_.subspan(size);
        return any;
    }

private:
    std::span<const std::uint8_t> bytes_;
};

}  // namespace lepton::fuzz
