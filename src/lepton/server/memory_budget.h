#pragma once

#include <cstddef>
#include <filesystem>

namespace lepton::server {

// The memory that this process may use at most, as far as the machine, its control groups (v1 or
// v2) and its own limit of address space say. `root` is "/" but in tests.
[[nodiscard]] std::size_t memory_of_process(const std::filesystem::path& root = "/");

}  // namespace lepton::server
