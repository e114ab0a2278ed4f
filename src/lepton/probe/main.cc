#include <cstdio>
#include <exception>
#include <filesystem>

#include <unistd.h>

#include "lepton/model/loading/probe_child.h"

// Runs in a process of its own whatever could end the process. Without arguments it is started by
// model::Probe; `lepton create` has it measure the model that it wrote:
//
//     lepton-probe record MODEL_FILE CONFIG_FILE
int main(int argc, char** argv) {
    int status = 1;
    try {
        if (argc == 4) {
            const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
            const auto record = lepton::model::record_of(here, argv[2], argv[3]);
            std::fputs(record ? record->c_str() : record.error().message.c_str(),
                       record ? stdout : stderr);
            status = record ? 0 : 1;
        } else {
            status = lepton::model::run_probe();
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lepton-probe: %s\n", error.what());
    }
    // Skips the engine's exit handlers, which have nothing left to do.
    std::fflush(stdout);
    ::_exit(status);
}
