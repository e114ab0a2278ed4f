// What the sanitizers need to know about OpenVINO; without effect in other builds.

#include <cstdlib>

namespace {

// Otherwise TBB opens a library with RTLD_DEEPBIND, which AddressSanitizer refuses.
const int kSet = setenv("TBB_ENABLE_SANITIZERS", "1", 0);

}  // namespace

// OpenVINO and TBB keep what they allocated for their threads until the process ends.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the name that LeakSanitizer looks for.
extern "C" const char* __lsan_default_suppressions() {
    static_cast<void>(kSet);
    return "leak:libopenvino\nleak:libtbb\n";
}
