#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::server {

// What the process that starts the server wants to know once it may send requests.
struct ReadyFile {
    struct Failed {
        std::string model;
        std::string reason;
    };

    std::string host;
    std::uint16_t port = 0;
    int pid = 0;
    std::vector<std::string> models;
    std::vector<Failed> failed = {};  // Models that the server is ready without.
    std::string admin_url = {};       // The admin listener's; empty: there is none.
};

// Returns {"host": "127.0.0.1", "port": 8000, "pid": 17, "models": ["digits"]}, with "failed":
// [{"model": "a", "reason": "..."}] if any failed, and with "admin_url": "http://127.0.0.1:8003" if
// there is an admin listener.
[[nodiscard]] std::string to_json(const ReadyFile& ready);

// Makes the file appear whole or not at all. Errors: kUnavailable, with the path and the system's
// reason.
Result<> write_ready_file(const std::filesystem::path& path, const ReadyFile& ready);

}  // namespace lepton::server
