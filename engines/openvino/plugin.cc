#include <cstdlib>
#include <memory>
#include <string>

#include "engines/openvino/openvino_engine.h"

namespace {

// OpenVINO runs each inference in a TBB arena that is bound to a kind of core, whatever the
// settings say: two sched_setaffinity and one sched_getaffinity per run, through hwloc, which take
// 3.2 of the 8.4 us of a small model (bench/, mlp). We ask for no pinning, so there is nothing to
// bind. When hwloc is told that its topology is not this machine's, its binding functions just
// return success; see "Environment Variables" in its manual.
void keep_threads_unbound() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before OpenVINO starts threads that would read it.
    ::setenv("HWLOC_THISSYSTEM", "0", 0);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) lepton::engine::Engine* lepton_make_engine(
    int abi, std::string* error) {
    if (abi != lepton::engine::kPluginAbi) {
        *error = "built for plug-in interface " + std::to_string(lepton::engine::kPluginAbi) +
                 ", asked for " + std::to_string(abi);
        return nullptr;
    }
    keep_threads_unbound();
    return std::make_unique<lepton::openvino::OpenVinoEngine>().release();
}
