#include "lepton/model/value_range.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>

namespace lepton::model {
namespace {

// Elements that are looked at without asking, so that the compiler makes vectors of them.
constexpr std::size_t kBlock = 1024;

// Not zero for a value that does not fit, each by few operations that exist for vectors of 64 bits.
std::uint64_t misfit_in_int32(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) + (std::uint64_t{1} << 31)) >> 32;
}
std::uint64_t misfit_in_int32(std::uint64_t value) { return value >> 31; }
std::uint64_t misfit_in_int32(std::uint32_t value) { return value >> 31; }
// Infinity does not fit either: it becomes the largest float. NaN stays one. On the bits, whose
// order is that of the magnitudes, because a comparison of doubles keeps the compiler from vectors.
std::uint64_t misfit_in_fp32(double value) {
    constexpr double kLargest = std::numeric_limits<float>::max();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const std::uint64_t magnitude = std::bit_cast<std::uint64_t>(value) & ~(std::uint64_t{1} << 63);
    const std::uint64_t beyond = (std::bit_cast<std::uint64_t>(kLargest) - magnitude) >> 63;
    const std::uint64_t is_nan = (std::bit_cast<std::uint64_t>(kInfinity) - magnitude) >> 63;
    return beyond & ~is_nan;
}

template <class Element>
Element at(std::span<const std::byte> data, std::size_t index) {
    Element element;
    std::memcpy(&element, data.data() + index * sizeof(Element), sizeof(Element));
    return element;
}

std::string to_text(double value) {
    char text[32];
    const int size = std::snprintf(text, sizeof text, "%.17g", value);
    return {text, static_cast<std::size_t>(size)};
}
template <class Integer>
std::string to_text(Integer value) {
    return std::to_string(value);
}

template <class Element, class Misfit>
std::optional<MisfitValue> find(std::span<const std::byte> data,
                                Misfit misfit,
                                const char* bounds) {
    const std::size_t count = data.size() / sizeof(Element);
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
        const std::size_t end = std::min(count, begin + kBlock);
        std::uint64_t any = 0;
        for (std::size_t i = begin; i < end; ++i) any |= misfit(at<Element>(data, i));
        if (any == 0) [[likely]]
            continue;
        std::size_t i = begin;
        while (misfit(at<Element>(data, i)) == 0) ++i;
        return MisfitValue{i, to_text(at<Element>(data, i)), bounds};
    }
    return std::nullopt;
}

}  // namespace

std::optional<MisfitValue> find_misfit(std::span<const std::byte> data,
                                       DataType dtype,
                                       DataType held_in) {
    const auto in_int32 = [](auto value) { return misfit_in_int32(value); };
    constexpr const char* kInt32 = "-2147483648 to 2147483647";
    constexpr const char* kFromZero = "0 to 2147483647";
    if (held_in == DataType::kInt32 && dtype == DataType::kInt64) {
        return find<std::int64_t>(data, in_int32, kInt32);
    }
    if (held_in == DataType::kInt32 && dtype == DataType::kUint64) {
        return find<std::uint64_t>(data, in_int32, kFromZero);
    }
    if (held_in == DataType::kInt32 && dtype == DataType::kUint32) {
        return find<std::uint32_t>(data, in_int32, kFromZero);
    }
    if (held_in == DataType::kFp32 && dtype == DataType::kFp64) {
        return find<double>(data, misfit_in_fp32, "-3.4028235e38 to 3.4028235e38");
    }
    return std::nullopt;
}

}  // namespace lepton::model
