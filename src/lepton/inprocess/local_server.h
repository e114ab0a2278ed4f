#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/sync.h"
#include "lepton/inference.h"
#include "lepton/inprocess/local_call.h"
#include "lepton/server.h"
#include "lepton/server/server.h"

namespace lepton::inprocess {

// The server behind lepton::Server, and the number of calls inside it, which close() waits for.
// Thread-safe.
class LocalServer {
public:
    static Result<std::unique_ptr<LocalServer>> open(const ServerOptions& options);
    ~LocalServer() { close(); }

    Result<> infer(const InferRequest& request, InferResult& result);
    void infer_async(const InferRequest& request, Server::Callback callback, InferResult storage);

    [[nodiscard]] Result<ModelInfo> model(std::string_view name, std::string_view version);
    [[nodiscard]] std::vector<std::string> models();
    [[nodiscard]] Result<std::string> metrics();
    [[nodiscard]] Result<std::string> slow_requests(std::string_view model, std::size_t limit);
    Result<> load(const std::string& model);
    Result<> unload(const std::string& model);

    void close();

private:
    // One call that is inside; close() waits for its end.
    class Visit;
    struct AsyncCall;

    explicit LocalServer(std::unique_ptr<server::Server> server) : server_(std::move(server)) {}
    void leave();
    static void finish(LocalCall& call, void* context);

    CallPool calls_;
    std::unique_ptr<server::Server> server_;

    Mutex mutex_;
    std::condition_variable left_;
    std::size_t inside_ LEPTON_GUARDED_BY(mutex_) = 0;
    bool closed_ LEPTON_GUARDED_BY(mutex_) = false;
};

}  // namespace lepton::inprocess
