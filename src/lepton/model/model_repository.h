#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lepton/core/model_catalog.h"
#include "lepton/core/sync.h"
#include "lepton/engine/registry.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/model_loader.h"
#include "lepton/model/repository_layout.h"

namespace lepton::model {

// The models of one or more folders, and what state each of their versions is in. Loads, warms up
// and retires on one control thread of its own, one model after the other, so that requests to the
// models that serve go on.
//
//     found -> loading -> ready -> unloading -> gone
//                 `-----> failed (reason)
//
// A model that fails never stops the others, and never replaces what serves: a new version that
// does not load leaves the old one ready. As with Triton's strict readiness, a model that failed at
// start keeps the server from being ready; its own readiness and find() tell why, and the server
// goes on.
//
// Thread-safe. The callbacks run on the control thread, without a lock.
class ModelRepository final : public ModelCatalog {
public:
    struct Options {
        std::vector<std::filesystem::path> roots;
        ModelLoader::Options loading;
        // A version may be used from here on; it becomes ready when this returns. It replaces a
        // version of the same name and number.
        std::function<void(std::shared_ptr<LoadedModel>)> on_ready = [](const auto&) {};
        // No request may be given to the version from here on. What runs may go on: the model lives
        // as long as whoever got it keeps it.
        std::function<void(const std::string& name, const std::string& version)> on_retired =
            [](const auto&, const auto&) {};
    };
    struct Failure {
        std::string name;
        std::string version;  // Empty: the model as a whole, such as its config.pbtxt.
        Error error;
    };

    // `engines` must outlive the repository and what it loaded.
    ModelRepository(engine::EngineRegistry& engines, Options options);
    // Waits for the load that is under way, and forgets those that are queued.
    ~ModelRepository() override;
    ModelRepository(const ModelRepository&) = delete;
    ModelRepository& operator=(const ModelRepository&) = delete;

    // Looks at the roots and queues the loading of every model. Call once. Errors: kInvalidArgument
    // for roots that cannot be used.
    Result<> start();

    // Queues: loads what is new or changed in the model's folder, and retires versions that its
    // policy no longer serves. Errors: kModelNotFound when no root has it.
    Result<> load(const std::string& name);
    // Queues: retires all versions. Errors: kModelNotFound.
    Result<> unload(const std::string& name);

    // Blocks until nothing is queued or under way.
    void wait_until_settled();

    // Readiness ends for good; the models go on serving.
    void begin_drain();

    [[nodiscard]] std::vector<Failure> failures() const;

    [[nodiscard]] bool ready() const override;
    [[nodiscard]] Result<std::shared_ptr<const ModelSpec>> find(
        std::string_view name, std::string_view version) const override;
    [[nodiscard]] std::vector<std::string> versions(std::string_view name) const override;
    [[nodiscard]] std::vector<std::string> models() const override;

private:
    enum class Action : std::uint8_t { kLoad, kUnload };
    struct Command {
        Action action;
        std::string name;
    };
    // When the files of a version were written: to tell whether a loaded one has changed.
    struct Stamp {
        std::filesystem::file_time_type model;
        std::filesystem::file_time_type config;
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    struct Version {
        std::shared_ptr<const ModelSpec> spec;  // Set while it serves.
        std::optional<Error> failure;           // Of the latest attempt.
        bool loading = false;
        Stamp stamp;
    };
    struct Model {
        std::filesystem::path folder;
        std::map<std::int64_t, Version> versions;
        std::optional<Error> failure;  // Of the model as a whole.
        bool found_at_start = false;
        bool visited = false;     // A load was attempted, whatever came of it.
        bool ready_once = false;  // A bad new version later on does not end readiness.
        bool unloaded = false;    // On request.
    };

    void work();
    void load_now(const std::string& name);
    void unload_now(const std::string& name);
    // True when the version serves, now or already.
    bool load_version(const ModelFolder& folder, const VersionFolder& version, const ModelConfig&);
    void retire(const std::string& name, std::int64_t number);
    Result<ModelConfig> read_config(const ModelFolder& folder);
    void enqueue(Action action, const std::string& name) LEPTON_REQUIRES(mutex_);
    [[nodiscard]] std::string names_locked() const LEPTON_REQUIRES(mutex_);

    const Options options_;
    ModelLoader loader_;

    mutable Mutex mutex_;
    std::condition_variable changed_;  // Commands, busy_ or stopping_.
    std::map<std::string, Model, std::less<>> models_ LEPTON_GUARDED_BY(mutex_);
    std::deque<Command> commands_ LEPTON_GUARDED_BY(mutex_);  // At most one per model.
    bool busy_ LEPTON_GUARDED_BY(mutex_) = false;
    bool started_ LEPTON_GUARDED_BY(mutex_) = false;
    bool draining_ LEPTON_GUARDED_BY(mutex_) = false;
    bool stopping_ LEPTON_GUARDED_BY(mutex_) = false;

    std::thread control_;  // Last: it uses the rest.
};

}  // namespace lepton::model
