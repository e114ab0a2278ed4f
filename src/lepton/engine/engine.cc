#include "lepton/engine/engine.h"

#include <algorithm>

namespace lepton::engine {

std::string_view to_string(Precision precision) {
    switch (precision) {
        case Precision::kF32:
            return "f32";
        case Precision::kBf16:
            return "bf16";
        case Precision::kF16:
            return "f16";
    }
    return "unknown";
}

Result<std::vector<std::string>> Engine::unknown(const Parameters& parameters) const {
    std::vector<std::string> names;
    names.reserve(parameters.size());
    for (const auto& [name, value] : parameters) names.push_back(name);
    return names;
}

Result<> check(const Engine& engine, Device device, const Parameters& parameters) {
    if (const auto unknown = engine.unknown(parameters); !unknown) {
        return tl::unexpected(unknown.error());
    }
    const std::vector<Device> devices = engine.devices();
    if (std::find(devices.begin(), devices.end(), device) != devices.end()) return {};
    std::string names;
    for (const Device one : devices) names += (names.empty() ? "" : ", ") + to_string(one);
    return fail(ErrorCode::kUnsupported,
                "engine " + std::string(engine.name()) + " has no device " + to_string(device) +
                    " here, it has: " + (names.empty() ? "none" : names));
}

}  // namespace lepton::engine
