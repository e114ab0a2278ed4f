#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/inference.h"

namespace lepton::bench {

// What is measured: a server behind a URL, or an in-process server. Thread-safe.
class Target {
public:
    using Callback = std::function<void(Result<InferResult>)>;

    virtual ~Target() = default;
    [[nodiscard]] virtual Result<ModelInfo> model(const std::string& name,
                                                  const std::string& version) = 0;
    // The names of all models that are ready; kUnsupported where a server does not say.
    [[nodiscard]] virtual Result<std::vector<std::string>> models() = 0;
    [[nodiscard]] virtual Result<> infer(const InferRequest& request, InferResult& result) = 0;
    // The same as in lepton::Client and lepton::Server.
    virtual void infer_async(const InferRequest& request,
                             Callback callback,
                             InferResult storage) = 0;
};

struct TargetOptions {
    std::string url;                     // For lepton::Client; empty: `service` is used.
    std::string service;                 // A folder for lepton::Server.
    std::string engines_dir;             // For lepton::Server.
    int cores = 0;                       // For lepton::Server.
    std::chrono::nanoseconds timeout{};  // For a request without a deadline.
    std::size_t connections = 256;       // Maximum number, for lepton::Client.
};

// Errors: those of lepton::Client::open and lepton::Server::open.
[[nodiscard]] Result<std::unique_ptr<Target>> open_target(const TargetOptions& options);

}  // namespace lepton::bench
