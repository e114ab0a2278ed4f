#include "lepton/model/warm_up/row_agreement.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace lepton::model {
namespace {

template <class T>
T load(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

double float_at(const TensorView& tensor, std::size_t index) {
    const std::byte* at = tensor.data.data() + index * element_bytes(tensor.dtype);
    switch (tensor.dtype) {
        case DataType::kFp32:
            return load<float>(at);
        case DataType::kFp64:
            return load<double>(at);
        case DataType::kFp16:
            return half_to_float(load<std::uint16_t>(at));
        default: {
            const std::uint32_t bits = std::uint32_t{load<std::uint16_t>(at)} << 16;
            float value = 0;
            std::memcpy(&value, &bits, sizeof value);
            return value;
        }
    }
}

bool is_float(DataType dtype) {
    return dtype == DataType::kFp16 || dtype == DataType::kBf16 || dtype == DataType::kFp32 ||
           dtype == DataType::kFp64;
}

constexpr double kSmallestColumn = 1.0 / 30;  // A share of the largest magnitude of all.

bool floats_agree(const TensorView& a, const TensorView& b, double tolerance) {
    const std::size_t count = a.data.size() / element_bytes(a.dtype);
    if (count == 0) return true;
    const std::size_t rank = a.shape.rank();
    const std::size_t columns = rank == 0 ? 1 : static_cast<std::size_t>(a.shape[rank - 1]);
    std::vector<double> largest(columns);
    for (std::size_t i = 0; i < count; ++i) {
        double& column = largest[i % columns];
        for (const double value : {float_at(a, i), float_at(b, i)}) {
            if (std::isfinite(value)) column = std::max(column, std::abs(value));
        }
    }
    const double least = kSmallestColumn * *std::max_element(largest.begin(), largest.end());
    for (std::size_t i = 0; i < count; ++i) {
        const double x = float_at(a, i);
        const double y = float_at(b, i);
        if (std::isfinite(x) && std::isfinite(y)) {
            if (std::abs(x - y) > tolerance * std::max(least, largest[i % columns])) return false;
        } else if (!(std::isnan(x) && std::isnan(y)) && x != y) {
            return false;
        }
    }
    return true;
}

}  // namespace

float half_to_float(std::uint16_t half) {
    const int exponent = (half >> 10) & 0x1f;
    const int fraction = half & 0x3ff;
    float magnitude = 0;
    if (exponent == 0x1f) {
        magnitude = fraction == 0 ? INFINITY : NAN;
    } else if (exponent == 0) {
        magnitude = std::ldexp(static_cast<float>(fraction), -24);
    } else {
        magnitude = std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
    }
    return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

bool agree(const TensorView& a, const TensorView& b, bool computed_in_16_bits) {
    if (a.dtype != b.dtype || !(a.shape == b.shape) || a.data.size() != b.data.size()) return false;
    if (!is_float(a.dtype)) return std::equal(a.data.begin(), a.data.end(), b.data.begin());
    const bool coarse = computed_in_16_bits || element_bytes(a.dtype) == 2;
    return floats_agree(a, b, coarse ? 2e-2 : 1e-4);
}

}  // namespace lepton::model
