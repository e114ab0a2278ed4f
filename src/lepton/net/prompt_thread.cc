#include "lepton/net/prompt_thread.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace lepton::net {
namespace {

// Of sched_setattr(2), for which the C library has no function; its header of the kernel clashes
// with that of the C library in some versions.
struct Attributes {
    std::uint32_t size = sizeof(Attributes);
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    // For SCHED_OTHER the time slice, in nanoseconds: since Linux 6.12, ignored before
    // (https://docs.kernel.org/scheduler/sched-eevdf.html).
    std::uint64_t runtime = 0;
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};
constexpr std::uint64_t kResetOnFork = 0x01;
constexpr std::uint64_t kShortestSlice = 100'000;
// A thread that has just run must wait until the others have had their share, by weight, since: at
// nice -10 that is a tenth of what it ran.
constexpr int kNice = -10;

bool set(const Attributes& attributes) {
    return ::syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}

}  // namespace

void run_promptly() {
    if (::sched_getscheduler(0) != SCHED_OTHER) return;
    const int chosen = ::getpriority(PRIO_PROCESS, 0);
    Attributes attributes;
    attributes.flags = kResetOnFork;
    attributes.runtime = kShortestSlice;
    attributes.nice = chosen == 0 ? kNice : chosen;
    if (set(attributes)) return;
    attributes.nice = chosen;
    set(attributes);
}

}  // namespace lepton::net
