#pragma once

#include <cstdint>

namespace lepton::python {

// Tells whether this process was forked from the one that made the guard: threads and connections
// stayed behind, so that what owns them must not be used, nor destroyed.
class ForkGuard {
public:
    ForkGuard();
    [[nodiscard]] bool forked() const;
    // Throws Unavailable when forked(). `what`: "the client".
    void check(const char* what) const;

private:
    std::uint64_t generation_;
};

}  // namespace lepton::python
