#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/inference.h"

namespace lepton {

namespace inprocess {
class LocalServer;
}  // namespace inprocess

struct ServerOptions {
    // Folders that hold one model each or many, as `lepton create` writes them.
    std::vector<std::string> services;
    int cores = 0;          // Cores to compute on; 0: all that this process may use.
    std::string cache_dir;  // Where compiled models are kept; empty: nowhere.
    // The folder of the plug-ins; empty: lib/engines beside the program's folder.
    std::string engines_dir;
    bool strict_readiness = true;  // False: opens without the models that fail to load.
    // trace, debug, info, warn, error or off. Logs go to stderr through the process's default
    // spdlog logger.
    std::string log_level = "warn";
};

// An in-process server: the models, the scheduler and the engine that `lepton serve` runs, without
// a network. Threads of the application call it:
//
//     an instance is idle: the model runs on the calling thread, without a hand-off
//     all are busy:        the call queues, earliest deadline first, and may share a run
//
// Tensors are read where they are; what a request's views look at stays alive and unchanged until
// the call has returned or its callback was called. Outputs are copied into the result.
//
// Errors are those of the server (docs/reference/errors.md): kInvalidArgument, kModelNotFound,
// kQueueFull, kDeadlineExceeded, kUnavailable once it is closed, kInternal. A process that forks
// opens its server after the fork. Thread-safe, except for move and destruction.
class Server {
public:
    // Returns when every model is loaded and warm. Errors: kInvalidArgument for a folder or an
    // option that is wrong; otherwise the reason why a model did not load, with its name, unless
    // strict_readiness is off.
    [[nodiscard]] static Result<Server> open(const ServerOptions& options);
    // Opens a server of one folder, with defaults for all other options.
    [[nodiscard]] static Result<Server> open(std::string service);

    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    ~Server();  // Calls close() if it is still open.

    // Blocks until the answer. The deadline is checked before the model runs: one that passes
    // during the run ends neither the run nor the call. On an error `result` is empty. Allocates
    // nothing when the result is passed in again.
    [[nodiscard]] Result<> infer(const InferRequest& request, InferResult& result);
    [[nodiscard]] Result<InferResult> infer(const InferRequest& request);

    // Calls `callback` exactly once: before this returns where the model is idle and quick,
    // otherwise on a thread of the server. The callback must not block. `storage` is a result whose
    // storage is reused.
    using Callback = std::function<void(Result<InferResult>)>;
    void infer_async(const InferRequest& request, Callback callback, InferResult storage = {});

    [[nodiscard]] Result<ModelInfo> model(std::string_view name,
                                          std::string_view version = {}) const;
    // The names of all models that are ready, sorted; none once the server is closed.
    [[nodiscard]] std::vector<std::string> models() const;

    // What `lepton serve` answers to GET /metrics, in Prometheus's text format.
    [[nodiscard]] Result<std::string> metrics() const;
    // What `lepton serve` answers to GET /v2/debug/slow, as JSON: the slowest calls of the last
    // minutes and the latest that missed their deadlines, with the time at each station; at most
    // `limit` of each, for that model or for all (empty).
    [[nodiscard]] Result<std::string> slow_requests(std::string_view model = {},
                                                    std::size_t limit = 64) const;

    // Reads the model's folder again, and returns when what is new or changed there serves.
    [[nodiscard]] Result<> load(std::string_view model);
    // Returns when the model's calls are answered; further calls get kUnavailable.
    [[nodiscard]] Result<> unload(std::string_view model);

    // Refuses calls from here on, and returns when those in progress are answered. Must not be
    // called from a callback.
    void close();

private:
    explicit Server(std::unique_ptr<inprocess::LocalServer> local);
    std::unique_ptr<inprocess::LocalServer> local_;
};

}  // namespace lepton
