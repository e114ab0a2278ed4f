#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/model/repository/model_repository.h"
#include "lepton/server/config.h"

namespace lepton::server {

using Failure = model::ModelRepository::Failure;

// Says for a person which model failed, and why.
[[nodiscard]] std::string to_text(const Failure& failure);

// The whole server: the one place that knows all modules, and in which order they start and stop.
// Not thread-safe; the owner serializes.
class Server {
public:
    // Listens if config.listen says so (health routes answer from here on), and begins to load the
    // models. Errors: kUnavailable for an address that cannot be bound, kInvalidArgument for an
    // invalid configuration.
    static Result<std::unique_ptr<Server>> start(const Config& config);
    ~Server();  // Calls stop() if it is still running.

    // Returns the models that failed, once every model is ready or has failed, or after cancel().
    std::vector<Failure> wait_until_loaded();

    // The same as catalog().ready().
    [[nodiscard]] Result<> ready() const;

    // Ends what stop() would wait for and can be ended, such as the loading of models. Thread-safe.
    void cancel();

    // Stops being ready, and answers what is in progress, for config.drain_timeout at most: then
    // every client has an answer, though an engine may still be running for one that was told that
    // the server ends.
    void drain();
    // Drains if drain() was not called; then waits for what still runs, and closes.
    void stop();

    // 0 if it does not listen.
    [[nodiscard]] std::uint16_t port() const;
    // The frontend's; empty if it has no admin listener.
    [[nodiscard]] std::string admin_url() const;
    [[nodiscard]] std::vector<std::string> models() const;

    // The service that a frontend works with, for calls of this process; valid until stop().
    // Thread-safe.
    [[nodiscard]] InferService& inferences();
    [[nodiscard]] const ModelCatalog& catalog() const;
    [[nodiscard]] CallObserver& observer();
    // What GET /metrics and GET /v2/debug/slow answer; an empty `model` means all.
    [[nodiscard]] std::string metrics_page() const;
    [[nodiscard]] std::string slow_page(std::string_view model, std::size_t limit) const;
    // Queues the reload, as ModelRepository does.
    Result<> reload();
    Result<> load(const std::string& model);
    Result<> unload(const std::string& model);

private:
    struct Parts;
    explicit Server(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace lepton::server
