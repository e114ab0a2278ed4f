#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "lepton/core/result.h"

namespace lepton::net {

// Which file lies at a path, so that only who made it takes it away.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t number = 0;

    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// Nothing where there is no file.
[[nodiscard]] std::optional<FileIdentity> identity_of(const std::filesystem::path& path);

// Makes room for a Unix domain socket: removes the file that a dead server left, which would make
// bind fail for ever. Errors: kUnavailable where somebody listens on it.
Result<> free_unix_path(const std::filesystem::path& path);

}  // namespace lepton::net
