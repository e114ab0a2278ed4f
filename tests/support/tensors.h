#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/tensor.h"

namespace lepton::testing {

// A view of `values`, which must outlive it.
template <class T>
TensorView view_of(DataType dtype, Shape shape, const std::vector<T>& values) {
    return {dtype, shape, std::as_bytes(std::span(values))};
}

template <class T>
std::vector<T> values_of(const TensorView& tensor) {
    std::vector<T> values(tensor.data.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), values.size() * sizeof(T));
    return values;
}

// Returns elements of kBytes in the wire's layout.
inline std::vector<std::byte> length_prefixed(const std::vector<std::string_view>& texts) {
    std::vector<std::byte> bytes;
    for (const std::string_view text : texts) {
        const auto length = static_cast<std::uint32_t>(text.size());
        const std::size_t start = bytes.size();
        bytes.resize(start + sizeof length + text.size());
        std::memcpy(bytes.data() + start, &length, sizeof length);
        std::memcpy(bytes.data() + start + sizeof length, text.data(), text.size());
    }
    return bytes;
}

}  // namespace lepton::testing
