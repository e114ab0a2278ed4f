#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace lepton::openvino {

// OpenVINO does not always report that a run failed: with one computing thread its executor
// swallows the exception, and the outputs keep what an earlier run left there; and some kernels
// leave a part of what they should write. So outputs are marked before a run, and a mark that is
// still there afterwards shows that nothing was written. A second run with another mark tells a
// value that happens to equal the mark from a real mark. At least the beginning of each output is
// marked: one store and one load, whatever its size.
inline constexpr std::array<std::uint64_t, 2> kMarks{0x9d3f5c71e2b84ac6, 0x62c0a38e1d47b539};

inline void put_mark(std::span<std::byte> output, std::uint64_t mark) {
    if (!output.empty()) {
        std::memcpy(output.data(), &mark, std::min(output.size(), sizeof mark));
    }
}

[[nodiscard]] inline bool has_mark(std::span<const std::byte> output, std::uint64_t mark) {
    return !output.empty() &&
           std::memcmp(output.data(), &mark, std::min(output.size(), sizeof mark)) == 0;
}

// Marks the whole output, except for what is left of the last eight bytes of a longer one.
inline void fill_with_marks(std::span<std::byte> output, std::uint64_t mark) {
    put_mark(output, mark);
    for (; output.size() >= sizeof mark; output = output.subspan(sizeof mark)) {
        put_mark(output, mark);
    }
}

[[nodiscard]] inline bool has_mark_anywhere(std::span<const std::byte> output, std::uint64_t mark) {
    if (output.size() < sizeof mark) return has_mark(output, mark);
    bool found = false;
    for (; output.size() >= sizeof mark; output = output.subspan(sizeof mark)) {
        std::uint64_t word = 0;
        std::memcpy(&word, output.data(), sizeof word);
        found |= word == mark;
    }
    return found;
}

}  // namespace lepton::openvino
