#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/model_control.h"
#include "lepton/core/result.h"
#include "lepton/engine/registry.h"
#include "lepton/model/loading/model_loader.h"
#include "lepton/model/repository/background_tuner.h"
#include "lepton/model/repository/config_changer.h"
#include "lepton/model/repository/control_thread.h"
#include "lepton/model/repository/instance_control.h"
#include "lepton/model/repository/model_lifecycle.h"
#include "lepton/model/repository/model_listener.h"
#include "lepton/model/repository/model_table.h"
#include "lepton/model/store/model_store.h"

namespace lepton::model {

// The models of a store, and what state each of their versions is in: joins the table that says so,
// the control thread on which they are loaded, changed and retired one after the other, so that
// requests to the models that serve go on, and what happens on it.
//
// A model that fails never stops the others, and never replaces what serves: a new version that
// does not load leaves the old one ready. As with Triton's strict readiness, a model that failed at
// start keeps the server from being ready, unless the options say otherwise; ready(), its own
// readiness and find() tell why, and the server goes on.
//
// Thread-safe. The listener is called on the control thread, without a lock.
class ModelRepository final : public ModelCatalog, public ModelControl {
public:
    struct Options {
        ModelLoader::Options loading;
        // How often the load of models whose instances follow it is looked at.
        Clock::duration control_interval = std::chrono::seconds(2);
        bool strict_readiness = true;  // False: models that failed at start do not count.
        // From a model's load to its measurement.
        Clock::duration tuning_delay = std::chrono::seconds(2);
    };
    using Failure = ModelTable::Failure;

    // `engines` must outlive the repository and what it loaded, `listener` the repository.
    ModelRepository(engine::EngineRegistry& engines,
                    std::unique_ptr<ModelStore> store,
                    ModelListener& listener,
                    const Options& options);
    // Waits for the load that is under way, and forgets those that are queued.
    ~ModelRepository() override;
    ModelRepository(const ModelRepository&) = delete;
    ModelRepository& operator=(const ModelRepository&) = delete;

    // Looks at the store and queues the loading of every model. Call once. Errors: kInvalidArgument
    // for a store that cannot be used.
    Result<> start();

    // Queues: loads what is new or changed in the model's folder, and retires versions that its
    // policy no longer serves. Errors: kModelNotFound when the store does not have it.
    Result<> load(const std::string& name);
    // Queues: looks at the store again, and loads what is new or changed, except for what was
    // unloaded on request. What is no longer there serves on. Errors: as start().
    Result<> reload();
    // Queues: retires all versions. Errors: kModelNotFound.
    Result<> unload(const std::string& name);

    // Blocks until no load, unload or change is queued or under way.
    void wait_until_settled() { control_.wait_until_settled(); }

    // Readiness ends for good; the models go on serving.
    void begin_drain() { table_.begin_drain(); }

    // Ends what a stop would wait for and can be ended: models are not tried any more, what is
    // queued is forgotten, wait_until_settled() returns.
    void cancel();

    // Waits for what is under way, forgets what is queued, and ends the control thread. What is
    // loaded stays. It is called before the loops stop, because what is under way may need them.
    void stop();

    [[nodiscard]] std::vector<Failure> failures() const { return table_.failures(); }

    // As ModelLifecycle's, and InstanceControl's changes().
    [[nodiscard]] std::uint64_t tuned_changes() const { return lifecycle_.tuned_changes(); }
    [[nodiscard]] std::uint64_t controlled_changes() const { return instances_.changes(); }

    [[nodiscard]] Result<> ready() const override { return table_.ready(); }
    [[nodiscard]] Result<std::shared_ptr<const ModelSpec>> find(
        std::string_view name, std::string_view version) const override {
        return table_.find(name, version);
    }
    [[nodiscard]] std::vector<std::string> versions(std::string_view name) const override {
        return table_.versions(name);
    }
    [[nodiscard]] std::vector<std::string> models() const override { return table_.models(); }

    [[nodiscard]] Result<ModelConfiguration> configuration(std::string_view name,
                                                           std::string_view version) const override;
    void change(ConfigChange change, Done done) override;

private:
    void queue_load(const std::string& name);

    const std::unique_ptr<ModelStore> store_;
    ModelLoader loader_;
    ModelTable table_;
    BackgroundTuner tuner_;
    ModelLifecycle lifecycle_;
    ConfigChanger changer_;
    InstanceControl instances_;
    ControlThread control_;  // Last: its jobs use the rest.
};

}  // namespace lepton::model
