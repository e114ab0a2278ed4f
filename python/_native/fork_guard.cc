#include "fork_guard.h"

#include <pthread.h>

#include <string>

#include "errors.h"

namespace lepton::python {
namespace {

// Counts the forks that led to this process. Written in a child that has one thread yet.
std::uint64_t generation = 0;

std::uint64_t watched_generation() {
    static const int watching = ::pthread_atfork(nullptr, nullptr, [] { ++generation; });
    static_cast<void>(watching);
    return generation;
}

}  // namespace

ForkGuard::ForkGuard() : generation_(watched_generation()) {}

bool ForkGuard::forked() const { return generation_ != generation; }

void ForkGuard::check(const char* what) const {
    if (!forked()) return;
    raise(
        {ErrorCode::kUnavailable,
         std::string(what) + " was made before this process was forked; make one after the fork"});
}

}  // namespace lepton::python
