#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::server {

// What a starter of the server wants to know once it may send requests.
struct ReadyFile {
    struct Failed {
        std::string model;
        std::string reason;
    };

    std::string host;
    std::uint16_t port = 0;
    int pid = 0;
    std::vector<std::string> models;
    std::vector<Failed> failed = {};  // That the server is ready without.
    std::string admin_url = {};       // Of the admin listener; empty: there is none.
};

// {"host": "127.0.0.1", "port": 8000, "pid": 17, "models": ["digits"]}
// and "failed": [{"model": "a", "reason": "..."}], where any did, and "admin_url":
// "http://127.0.0.1:8003", where it has that.
[[nodiscard]] std::string to_json(const ReadyFile& ready);

// Appears whole or not at all. Errors: kUnavailable, naming the path and the system's reason.
Result<> write_ready_file(const std::filesystem::path& path, const ReadyFile& ready);

}  // namespace lepton::server
