#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/model/repository/model_repository.h"
#include "lepton/server/config.h"

namespace lepton::server {

using Failure = model::ModelRepository::Failure;

// For a person: which model failed, and why.
[[nodiscard]] std::string to_text(const Failure& failure);

// The whole server: the one place that knows all modules, and in which order they start and stop.
// Not thread-safe; the owner serialises.
class Server {
public:
    // Listens where config.listen says so (health routes answer from here on), and begins to load
    // the models.
    // Errors: kUnavailable for an address that cannot be had, kInvalidArgument for a configuration
    // that makes no sense.
    static Result<std::unique_ptr<Server>> start(const Config& config);
    ~Server();  // stop(), if need be.

    // Returns when every model is ready or has failed, or at cancel(); those that failed.
    std::vector<Failure> wait_until_loaded();

    // As catalog().ready().
    [[nodiscard]] Result<> ready() const;

    // Ends what stop() would wait for and can be ended, such as the loading of models. Thread-safe.
    void cancel();

    // Not ready any more, and answers what runs, at most config.drain_timeout long: then everybody
    // has an answer, though an engine may still be running for one who was told that the server
    // ends.
    void drain();
    // drain(), if need be; then waits for what still runs, and closes.
    void stop();

    // 0 where it does not listen.
    [[nodiscard]] std::uint16_t port() const;
    // As Frontend's; empty where it has no admin listener.
    [[nodiscard]] std::string admin_url() const;
    [[nodiscard]] std::vector<std::string> models() const;

    // What a frontend works with, for calls of this process; valid until stop(). Thread-safe.
    [[nodiscard]] InferService& inferences();
    [[nodiscard]] const ModelCatalog& catalog() const;
    [[nodiscard]] CallObserver& observer();
    // What GET /metrics and GET /v2/debug/slow tell; `model` empty: of all.
    [[nodiscard]] std::string metrics_page() const;
    [[nodiscard]] std::string slow_page(std::string_view model, std::size_t limit) const;
    // Queues, as ModelRepository's do.
    Result<> reload();
    Result<> load(const std::string& model);
    Result<> unload(const std::string& model);

private:
    struct Parts;
    explicit Server(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace lepton::server
