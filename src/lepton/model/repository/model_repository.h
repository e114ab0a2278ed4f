#pragma once

#include <atomic>
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
#include "lepton/core/model_control.h"
#include "lepton/core/sync.h"
#include "lepton/engine/registry.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/config/model_settings.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/loading/model_loader.h"
#include "lepton/model/repository/background_tuner.h"
#include "lepton/model/repository/instance_controller.h"
#include "lepton/model/store/repository_layout.h"

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
// start keeps the server from being ready, unless the options say otherwise; ready(), its own
// readiness and find() tell why, and the server goes on.
//
// A model that was not measured on this machine yet serves as it was tried, and is measured beside;
// sessions for what was found then take the place of the first ones.
//
// A change of a model's configuration goes the same way: what needs no other sessions is applied to
// those that serve; otherwise the version is loaded anew and takes the old one's place, or does not
// load, and nothing has changed.
//
// Thread-safe. The callbacks run on the control thread, without a lock.
class ModelRepository final : public ModelCatalog, public ModelControl {
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
        // From here on the version runs so; max_batch_size 0: as it was loaded.
        std::function<void(const ModelSpec&, const QueueOptions&, std::int64_t max_batch_size)>
            on_reconfigured = [](const auto&, const auto&, std::int64_t) {};
        // For models whose instances follow the load.
        std::function<LoadCounters(const ModelSpec&)> load_of = [](const auto&) {
            return LoadCounters{};
        };
        // How often it is looked at.
        Clock::duration control_interval = std::chrono::seconds(2);
        bool strict_readiness = true;  // False: models that failed at start do not count.
        // From a model's load to its measurement.
        Clock::duration tuning_delay = std::chrono::seconds(2);
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
    // Queues: looks at the roots again, and loads what is new or changed, except for what was
    // unloaded on request. What is no longer there serves on. Errors: as start().
    Result<> reload();
    // Queues: retires all versions. Errors: kModelNotFound.
    Result<> unload(const std::string& name);

    // Blocks until nothing is queued or under way.
    void wait_until_settled();

    // Readiness ends for good; the models go on serving.
    void begin_drain();

    // Ends what a stop would wait for and can be ended: models are not tried any more, what is
    // queued is forgotten, wait_until_settled() returns.
    void cancel();

    // Waits for what is under way, forgets what is queued, and ends the control thread. What is
    // loaded stays. Before the loops stop, where requests come from loops: a version that is being
    // replaced needs them to be drained.
    void stop();

    [[nodiscard]] std::vector<Failure> failures() const;

    // How often other sessions replaced the first ones of a model because of its measurement.
    [[nodiscard]] std::uint64_t tuned_changes() const { return tuned_changes_; }

    // How often a controller has changed a number of instances. Thread-safe.
    [[nodiscard]] std::uint64_t controlled_changes() const { return controlled_changes_; }

    [[nodiscard]] Result<> ready() const override;
    [[nodiscard]] Result<std::shared_ptr<const ModelSpec>> find(
        std::string_view name, std::string_view version) const override;
    [[nodiscard]] std::vector<std::string> versions(std::string_view name) const override;
    [[nodiscard]] std::vector<std::string> models() const override;

    [[nodiscard]] Result<ModelConfiguration> configuration(std::string_view name,
                                                           std::string_view version) const override;
    void change(ConfigChange change, Done done) override;

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
        std::vector<std::filesystem::file_time_type> samples;  // Files of the warm-up.
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    struct Version {
        std::shared_ptr<const ModelSpec> spec;  // Set while it serves.
        std::optional<Error> failure;           // Of the latest attempt.
        bool loading = false;
        Stamp stamp;
        std::filesystem::path file;
        std::string engine;
        Measured measured;
        TuningPlan plan;
        std::optional<TuningPlan> rest;  // As LoadedModel's.
        ModelConfig loaded;              // With which its sessions were made,
        ModelConfig config;              // and the one in force.
        std::optional<InstanceController> controller;
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

    struct PendingChange {
        ConfigChange change;
        Done done;
    };
    struct FoundPlan {
        BackgroundTuner::Job job;
        TuningPlan plan;
    };
    // More are refused: each may take as long as a load.
    static constexpr std::size_t kMostChanges = 64;

    void work();
    // When the control thread has to look at the load again; never, where nobody wants it.
    [[nodiscard]] Clock::time_point next_control() const LEPTON_REQUIRES(mutex_);
    void control_now();
    // Has the version completed or measured, where it is not.
    void improve_later(const Version& entry) LEPTON_REQUIRES(mutex_);
    void on_tuned(const BackgroundTuner::Job& job, Result<TuningPlan> plan);
    void apply_plan(const FoundPlan& found);
    // Queues it, and only then moves from its arguments.
    Result<> take_change(ConfigChange& change, Done& done);
    Result<ConfigChanged> change_now(const ConfigChange& change);
    // Puts `wanted` in force; true where that took other sessions.
    Result<bool> apply(const std::string& name, std::int64_t number, const ModelConfig& wanted);
    // Notes what was loaded.
    static void describe(Version& entry, const LoadedModel& model, const ModelConfig& config);
    [[nodiscard]] static ModelConfiguration to_configuration(const Version& entry);
    // Null for one that does not serve.
    [[nodiscard]] const Version* find_version(std::string_view name, std::string_view version) const
        LEPTON_REQUIRES(mutex_);
    void load_now(const std::string& name);
    void unload_now(const std::string& name);
    // True when the version serves, now or already.
    bool load_version(const ModelFolder& folder, const VersionFolder& version, const ModelConfig&);
    void retire(const std::string& name, std::int64_t number);
    Result<ModelConfig> read_config(const ModelFolder& folder);
    void enqueue(Action action, const std::string& name) LEPTON_REQUIRES(mutex_);
    [[nodiscard]] static bool serves(const Model& model);
    [[nodiscard]] static std::string reason_of(const Model& model);
    [[nodiscard]] std::string names_locked() const LEPTON_REQUIRES(mutex_);

    const Options options_;
    ModelLoader loader_;

    mutable Mutex mutex_;
    std::condition_variable changed_;  // Commands, changes, busy_ or stopping_.
    std::map<std::string, Model, std::less<>> models_ LEPTON_GUARDED_BY(mutex_);
    std::deque<Command> commands_ LEPTON_GUARDED_BY(mutex_);  // At most one per model.
    std::deque<PendingChange> changes_ LEPTON_GUARDED_BY(mutex_);
    std::deque<FoundPlan> plans_ LEPTON_GUARDED_BY(mutex_);  // At most one per version.
    Clock::time_point controlled_at_ LEPTON_GUARDED_BY(mutex_);
    std::atomic<std::uint64_t> controlled_changes_{0};
    std::atomic<std::uint64_t> tuned_changes_{0};
    bool busy_ LEPTON_GUARDED_BY(mutex_) = false;
    bool started_ LEPTON_GUARDED_BY(mutex_) = false;
    bool draining_ LEPTON_GUARDED_BY(mutex_) = false;
    bool stopping_ LEPTON_GUARDED_BY(mutex_) = false;

    BackgroundTuner tuner_;
    std::thread control_;  // Last: it uses the rest.
};

}  // namespace lepton::model
