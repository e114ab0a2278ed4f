#include <cstdlib>
#include <memory>
#include <string>

#include "engines/openvino/openvino_engine.h"

namespace {

// OpenVINO runs each inference in a TBB arena that is bound to a kind of core, whatever the settings
// say: two sched_setaffinity and one sched_getaffinity per run, through hwloc, 3.2 of the 8.4 us of a
// small model (bench/, AMD EPYC in a VM). There is nothing to bind, for we ask for no pinning; told
// that the machine it sees is another one, hwloc leaves affinities alone.
// https://www.open-mpi.org/projects/hwloc/doc/v2.0.4/a00353.php, HWLOC_THISSYSTEM
void keep_threads_unbound() { ::setenv("HWLOC_THISSYSTEM", "0", 0); }

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
