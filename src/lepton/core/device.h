#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lepton {

enum class DeviceKind : std::uint8_t { kCpu, kGpu, kNpu };

// What computes a model's runs. A process has one CPU device, with all of its cores, and any number
// of the others, each of which computes by itself.
struct Device {
    static constexpr int kMaxIndex = 255;

    DeviceKind kind = DeviceKind::kCpu;
    int index = 0;  // 0 for the CPU, otherwise up to kMaxIndex.

    friend auto operator<=>(const Device&, const Device&) = default;
};

// "cpu", "gpu:0", "npu:1".
[[nodiscard]] std::string to_string(Device device);
// The same, or "gpu" for the first one. Nothing for other text.
[[nodiscard]] std::optional<Device> parse_device(std::string_view text);

// What one run takes of a device: cores of the CPU, of another device as many of the runs that it
// computes at the same time.
struct Demand {
    Device device;
    int units = 1;
};

}  // namespace lepton
