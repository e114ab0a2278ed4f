#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "lepton/core/result.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/loading/model_loader.h"
#include "lepton/model/repository/background_tuner.h"
#include "lepton/model/repository/control_thread.h"
#include "lepton/model/repository/model_listener.h"
#include "lepton/model/repository/model_table.h"
#include "lepton/model/store/model_store.h"
#include "lepton/model/tuning/tuning_plan.h"

namespace lepton::model {

// What happens to a version, one step after the other: load and warm up, publish, drain, unload.
// Publishing and retiring are calls of the listener, which drains what it ran before; nothing here
// depends on the drain being over when the call returns. Writes into the table what came of it.
//
// A model that fails never replaces what serves. One that was not measured on this machine yet
// serves as it was tried, and has itself measured beside; sessions for what was found then take the
// place of the first ones.
//
// Confined to the control thread, except for on_tuned() and tuned_changes().
class ModelLifecycle {
public:
    // All of them outlive it; they need not be complete while it is made.
    struct Parts {
        ModelStore& store;
        ModelLoader& loader;
        ModelTable& table;
        ModelListener& listener;
        BackgroundTuner& tuner;
        ControlThread& control;
        TuningTime tuning;
    };
    explicit ModelLifecycle(const Parts& parts) : parts_(parts) {}

    // Loads what is new or changed in the model's folder, and retires versions that its policy no
    // longer serves.
    void load(const std::string& name);
    // Retires all versions.
    void unload(const std::string& name);

    // Puts `wanted` in force; true where that took other sessions. Errors: as ModelLoader::load,
    // and nothing has changed.
    Result<bool> reconfigure(const ServedVersion& now, const ModelConfig& wanted);

    // What the tuner found; queues what is to be done about it. Thread-safe.
    void on_tuned(const BackgroundTuner::Job& job, Result<TuningPlan> plan);

    // How often other sessions replaced the first ones of a model because of its measurement.
    [[nodiscard]] std::uint64_t tuned_changes() const { return tuned_changes_; }

private:
    // True when the version serves, now or already.
    bool load_version(const ModelFolder& folder, std::int64_t number, const ModelConfig& config);
    void retire(const std::string& name, std::int64_t number);
    // Has the version completed or measured, where it is not.
    void improve_later(const ServedVersion& version);
    void follow_later(BackgroundTuner::Job job, TuningPlan plan);
    // Makes the sessions anew by `plan`, unless the version was changed since.
    void follow(const BackgroundTuner::Job& job, const TuningPlan& plan);

    const Parts parts_;
    std::atomic<std::uint64_t> tuned_changes_{0};
};

}  // namespace lepton::model
