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
