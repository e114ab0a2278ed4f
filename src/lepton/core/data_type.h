#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lepton {

// The datatypes of KServe v2, and BF16 as Triton adds it.
enum class DataType : std::uint8_t {
    kBool,
    kUint8,
    kUint16,
    kUint32,
    kUint64,
    kInt8,
    kInt16,
    kInt32,
    kInt64,
    kFp16,
    kBf16,
    kFp32,
    kFp64,
    kBytes,  // Per element: 4-byte little-endian length, then that many bytes.
};

inline constexpr int kDataTypeCount = 14;

// The protocol's spelling: "FP32", "BYTES".
[[nodiscard]] std::string_view to_string(DataType type);
[[nodiscard]] std::optional<DataType> parse_data_type(std::string_view name);

// Bytes of one element; 0 for kBytes, whose elements carry their own lengths.
[[nodiscard]] std::size_t element_bytes(DataType type);

}  // namespace lepton
