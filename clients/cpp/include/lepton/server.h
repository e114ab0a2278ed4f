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
class Core;
}  // namespace inprocess

struct ServerOptions {
    // Folders of a model each, or of many: what `lepton create` writes.
    std::vector<std::string> services;
    int cores = 0;            // For computing; 0: those that this process may use.
    std::string cache_dir;    // Compiled models are kept there; empty: nowhere.
    std::string engines_dir;  // Of the plug-ins; empty: lib/engines beside the program's folder.
    bool strict_readiness = true;  // False: opens without the models that do not load.
    // trace, debug, info, warn, error or off; on stderr, by the process's default logger of spdlog.
    std::string log_level = "warn";
};

// The server in the own process: the models, the scheduler and the engine that `lepton serve` runs,
// without a network. Called by threads of the application:
//
//     an instance is idle: the model runs on the calling thread, without a hand-off
//     all are busy:        the call queues, earliest deadline first, and may share a run
//
// Tensors are read where they are; what a request's views look at stays alive and unchanged until
// the call has returned, or its callback was called. Outputs are copied into the result.
//
// Errors are those of the server (docs/reference/errors.md): kInvalidArgument, kModelNotFound,
// kQueueFull, kDeadlineExceeded, kUnavailable once it is closed, kInternal. A process that forks
// opens its server after the fork. Thread-safe, except for move and destruction.
class Server {
public:
    // Returns when every model is loaded and warm. Errors: kInvalidArgument for a folder or an
    // option that cannot be; otherwise the reason for which a model did not load, naming it, unless
    // the others are enough.
    [[nodiscard]] static Result<Server> open(const ServerOptions& options);
    // With one folder and all else as it comes.
    [[nodiscard]] static Result<Server> open(std::string service);

    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    ~Server();  // close(), if need be.

    // Blocks until the answer. A deadline is looked at before the model runs: one that passes while
    // it runs does not end the run, nor the call. On an error `result` is empty. Allocates nothing
    // when the result is passed in again.
    [[nodiscard]] Result<> infer(const InferRequest& request, InferResult& result);
    [[nodiscard]] Result<InferResult> infer(const InferRequest& request);

    // Calls `callback` exactly once: before this returns where the model is idle and quick, else on
    // a thread of the server. It must not block. `storage` is a result to be reused.
    using Callback = std::function<void(Result<InferResult>)>;
    void infer_async(const InferRequest& request, Callback callback, InferResult storage = {});

    [[nodiscard]] Result<ModelInfo> model(std::string_view name,
                                          std::string_view version = {}) const;
    // Names of all models that are ready, sorted; none once it is closed.
    [[nodiscard]] std::vector<std::string> models() const;

    // What `lepton serve` tells on GET /metrics, in Prometheus's text format.
    [[nodiscard]] Result<std::string> metrics() const;
    // What it tells on GET /v2/debug/slow, as JSON: the slowest calls of the last minutes and the
    // latest that missed their deadlines, with the time of each station; at most `limit` of each,
    // of that model or of all (empty).
    [[nodiscard]] Result<std::string> slow_requests(std::string_view model = {},
                                                    std::size_t limit = 64) const;

    // Looks again at the folder of a model, and returns when what is new or changed there serves.
    [[nodiscard]] Result<> load(std::string_view model);
    // Returns when the model's calls are answered; further ones get kUnavailable.
    [[nodiscard]] Result<> unload(std::string_view model);

    // Refuses calls from here on, and returns when those that it has are answered. Not to be called
    // from a callback.
    void close();

private:
    explicit Server(std::unique_ptr<inprocess::Core> core);
    std::unique_ptr<inprocess::Core> core_;
};

}  // namespace lepton
