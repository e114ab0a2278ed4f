#include "lepton/core/device.h"

#include <array>
#include <charconv>
#include <system_error>
#include <utility>

namespace lepton {
namespace {

constexpr std::array<std::pair<std::string_view, DeviceKind>, 3> kKinds{{
    {"cpu", DeviceKind::kCpu},
    {"gpu", DeviceKind::kGpu},
    {"npu", DeviceKind::kNpu},
}};

}  // namespace

std::string to_string(Device device) {
    std::string text;
    for (const auto& [name, kind] : kKinds) {
        if (kind == device.kind) text = name;
    }
    return device.kind == DeviceKind::kCpu ? text : text + ":" + std::to_string(device.index);
}

std::optional<Device> parse_device(std::string_view text) {
    const std::string_view name = text.substr(0, text.find(':'));
    for (const auto& [known, kind] : kKinds) {
        if (name != known) continue;
        Device device{kind, 0};
        if (name.size() == text.size()) return device;
        const std::string_view digits = text.substr(name.size() + 1);
        const auto [rest, error] = std::from_chars(digits.begin(), digits.end(), device.index);
        // In one spelling only: a device has one name.
        const bool plain = error == std::errc() && rest == digits.end() && device.index >= 0 &&
                           device.index <= Device::kMaxIndex && to_string(device) == text;
        return plain ? std::optional(device) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace lepton
