#pragma once

#include <cstdint>
#include <string>

namespace lepton::bench {

// Reads the file in which liblepton_count_allocations.so counts, in whichever process loads it.
class AllocationCounter {
public:
    // With an empty path the counter stays at zero. Throws std::system_error, with the path.
    explicit AllocationCounter(const std::string& path);
    AllocationCounter(const AllocationCounter&) = delete;
    AllocationCounter& operator=(const AllocationCounter&) = delete;
    ~AllocationCounter();

    [[nodiscard]] std::uint64_t value() const { return value_ == nullptr ? 0 : *value_; }

private:
    const volatile std::uint64_t* value_ = nullptr;  // Mapped; another process writes it.
};

}  // namespace lepton::bench
