#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lepton/model/loading/model_loader.h"
#include "lepton/net/frontend.h"
#include "lepton/net/limits.h"

namespace lepton::server {

using model::TuningTime;

// Every option of a server. The defaults are ready to serve.
struct Config {
    std::vector<std::filesystem::path> models;  // Folders of a model each, or repositories of many.
    bool listen = true;  // False: calls come only from this process, through inferences().
    std::string host = "127.0.0.1";
    std::uint16_t port = 8000;          // 0: any free port.
    std::filesystem::path unix_socket;  // Empty: none.
    // Address for routes that change the server, or show requests of other clients; nothing turns
    // it off. The default address takes any free port where `port` does.
    std::optional<net::AdminAddress> admin = net::AdminAddress{};
    std::vector<std::string> admin_hosts;  // Host names by which clients may call it.
    int cores = 0;                         // Cores to compute on; 0: all that this process may use.
    int reactors = 0;  // 0: one, and one more for every 4 cores beyond the first 4.
    std::chrono::microseconds busy_poll{0};
    net::Limits limits;
    // Bound on the tensors of one answer, before they are encoded; 0: none. Four times a request's,
    // since a model may give more than it takes.
    std::size_t max_answer_bytes = std::size_t{256} << 20;
    std::size_t memory_budget = 0;      // For messages and answers; 0: half of what there is.
    std::filesystem::path cache_dir;    // Holds compiled models and measurements; empty: not kept.
    std::filesystem::path engines_dir;  // Empty: the folder beside the binary.
    std::filesystem::path ready_file;   // Empty: none.
    bool strict_readiness = true;       // False: ready without the models that failed.
    TuningTime tuning = TuningTime::kLater;
    std::chrono::milliseconds probe_timeout{300'000};  // For one step of trying a new model.
    std::chrono::milliseconds drain_timeout{10'000};
    std::string otlp_endpoint;  // Collector of traces; empty: OpenTelemetry's variables decide.
    bool triton_errors = false;
    std::string log_level = "info";
    std::string log_format = "text";  // Or "json".
};

}  // namespace lepton::server
