#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "lepton/core/timeline.h"

namespace lepton {

inline constexpr std::size_t kStationCount = 8;

// A stretch of a request's way, from one station that it reached to the next one that it reached.
struct Stretch {
    std::string_view name;  // After the station where it begins: "queue" begins at admission.
    Clock::time_point begin{};
    Clock::time_point end{};  // Equal to `begin` if the request did not come by.

    [[nodiscard]] Clock::duration took() const { return end - begin; }
};

// In their order: read, decode, admit, queue, gather, compute, encode, write. Their times add up to
// the time from the first station reached to the last.
[[nodiscard]] std::array<Stretch, kStationCount> stretches_of(const Timeline& timeline);

}  // namespace lepton
