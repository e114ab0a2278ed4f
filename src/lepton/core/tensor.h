#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lepton/core/data_type.h"
#include "lepton/core/shape.h"

namespace lepton {

// Whose memory bytes lie in. That of a device is no memory that the CPU may read: an address there
// is only handed on, to an engine that knows the device.
enum class MemoryKind : std::uint8_t { kHost, kDevice };

// Looks at a tensor's bytes in the wire's layout: little-endian, row-major, no padding; kBytes
// elements length-prefixed. Whoever made the view says which buffer must outlive it.
struct TensorView {
    DataType dtype = DataType::kFp32;
    Shape shape;
    std::span<const std::byte> data;
    MemoryKind memory = MemoryKind::kHost;
    int device = 0;  // Which of the devices, where `memory` is a device's.
};

}  // namespace lepton
