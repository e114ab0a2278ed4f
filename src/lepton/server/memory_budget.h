#pragma once

#include <cstddef>
#include <filesystem>

namespace lepton::server {

// Returns the memory that this process may use at most, from what the machine, its control groups
// (v1 or v2) and its own address-space limit say. `root` is "/" except in tests.
[[nodiscard]] std::size_t memory_of_process(const std::filesystem::path& root = "/");

}  // namespace lepton::server
