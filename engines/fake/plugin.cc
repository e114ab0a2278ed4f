#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "engines/fake/fake_engine.h"

extern "C" __attribute__((visibility("default"))) lepton::engine::Engine* lepton_make_engine(
    int abi, std::string* error) {
    if (abi != lepton::engine::kPluginAbi) {
        *error = "built for plug-in interface " + std::to_string(lepton::engine::kPluginAbi) +
                 ", asked for " + std::to_string(abi);
        return nullptr;
    }
    return std::make_unique<lepton::fake::FakeEngine>().release();
}

// For tests that load the plug-in: as FakeEngine::advance.
extern "C" __attribute__((visibility("default"))) void lepton_fake_advance(
    lepton::engine::Engine* engine, std::int64_t microseconds) {
    static_cast<lepton::fake::FakeEngine*>(engine)->advance(
        std::chrono::microseconds(microseconds));
}
