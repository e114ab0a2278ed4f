#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/engine/registry.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/loading/probe.h"
#include "lepton/model/tuning/instance_tuning.h"
#include "lepton/model/tuning/tuning_record.h"
#include "lepton/model/warm_up/declared_samples.h"

namespace lepton::model {

// Reads a model's file, with the shapes that its configuration fixes. Errors: kInvalidArgument.
Result<std::unique_ptr<engine::Graph>> open_graph(engine::Engine& engine,
                                                  const std::filesystem::path& file,
                                                  const ModelConfig& config,
                                                  const std::filesystem::path& cache_dir);

// What the configuration declares for the warm-up of the model in `file`. Errors: as
// read_samples().
Result<std::vector<DeclaredSample>> samples_of(const std::filesystem::path& file,
                                               const ModelConfig& config);

// When their files were written.
[[nodiscard]] std::vector<std::filesystem::file_time_type> written_samples(
    const std::filesystem::path& file, const ModelConfig& config);

// The same error, with the file in its message.
[[nodiscard]] Error naming_file(Error error, const std::filesystem::path& file);

// When a model that was not measured on this machine yet is measured.
enum class TuningTime : std::uint8_t {
    kLater,  // Once it serves, with time of the processor that nobody else wants.
    kFirst,  // Before it is ready.
    kNever,  // It serves as it was found to run.
};

// From a model's file to sessions that are compiled and warm. Blocks for as long as that takes; off
// the request path. Thread-safe.
//
// What was measured of a model is kept, so that it is ready at once the next time. A model that has
// not proven itself on this machine is tried in a process of its own first, where its engine says
// that it may crash.
class ModelLoader {
public:
    struct Options {
        int cores = 1;                           // For the computing of all instances of one model.
        std::filesystem::path cache_dir = {};    // Where compiled models are kept; empty: nowhere.
        std::filesystem::path records_dir = {};  // Where measurements are kept; empty: nowhere.
        TuningTime tuning = TuningTime::kLater;
        Clock::duration longest_step = std::chrono::minutes(5);  // See Probe.
    };

    // `engines` must outlive the loader and what it loads.
    ModelLoader(engine::EngineRegistry& engines, Options options);

    // For the log, before a load: parameters that have no effect on the engine that reads the file.
    [[nodiscard]] std::vector<std::string> warnings(const std::filesystem::path& file,
                                                    const ModelConfig& config);

    // Errors name the file and the reason: kInvalidArgument for a file that is broken or
    // contradicts its configuration, kUnsupported, kInternal, kUnavailable after cancel().
    Result<std::shared_ptr<LoadedModel>> load(const std::string& name,
                                              std::int64_t version,
                                              const std::filesystem::path& file,
                                              const ModelConfig& config);

    // The same, whole, where it is known how: by tune(), or because the rest of it was left for
    // later.
    Result<std::shared_ptr<LoadedModel>> load(const std::string& name,
                                              std::int64_t version,
                                              const std::filesystem::path& file,
                                              const ModelConfig& config,
                                              const TuningPlan& plan);

    // Measures a model beside the others, in a process of its own, and keeps the result for the
    // next start. Errors: as load(), and kUnsupported where there is no such process.
    Result<TuningPlan> tune(const std::filesystem::path& file, const ModelConfig& config);

    // Ends what tries a model, and refuses to try others.
    void cancel() { probe_.cancel(); }

private:
    struct Job;
    Result<engine::Engine*> choose_engine(const std::filesystem::path& file,
                                          const ModelConfig& config);
    Result<std::shared_ptr<LoadedModel>> finish(const Job& job,
                                                const engine::Graph& graph,
                                                Result<TunedInstances> tuned);
    Result<std::shared_ptr<LoadedModel>> load_tried(const Job& job);
    Result<std::shared_ptr<LoadedModel>> follow(const Job& job,
                                                const TuningPlan& plan,
                                                std::optional<Clock::duration> patience);
    Result<std::shared_ptr<LoadedModel>> tune_here(const Job& job);
    Result<TuningPlan> try_elsewhere(const Job& job,
                                     const TuningSubject& subject,
                                     bool tune,
                                     bool background);

    engine::EngineRegistry& engines_;
    const Options options_;
    const TuningRecords records_;
    Probe probe_;
};

}  // namespace lepton::model
