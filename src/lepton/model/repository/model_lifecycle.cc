#include "lepton/model/repository/model_lifecycle.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/model/config/model_settings.h"
#include "lepton/model/repository/served_version.h"
#include "lepton/observe/log.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void log_warnings(const std::string& model, const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings) {
        spdlog::warn("config_warning model={} text={}", model, observe::quoted(warning));
    }
}

Result<ModelConfig> read_config(const ModelFolder& folder) {
    if (folder.versions.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    folder.path.string() + " holds no version folder such as 1");
    }
    LEPTON_TRY(ModelConfig config, read_model_config(folder.config_file()));
    log_warnings(folder.name, config.warnings);
    if (!config.name.empty() && config.name != folder.name) {
        return fail(ErrorCode::kInvalidArgument,
                    folder.config_file().string() + " is of model \"" + config.name +
                        "\", the folder is called \"" + folder.name + "\"");
    }
    return config;
}

void log_tuning_failed(const BackgroundTuner::Job& job, const Error& error) {
    spdlog::warn("tuning_failed model={} version={} reason={}",
                 job.name,
                 job.version,
                 observe::quoted(error.message));
}

}  // namespace

void ModelLifecycle::load(const std::string& name) {
    const ModelFolder folder = parts_.store.list(parts_.table.folder(name));
    const Result<ModelConfig> config = read_config(folder);
    std::vector<std::int64_t> numbers;
    numbers.reserve(folder.versions.size());
    for (const VersionFolder& version : folder.versions) numbers.push_back(version.number);
    ModelTable::Loaded loaded{.all_serve = config.has_value()};
    for (const std::int64_t number : numbers) {
        if (!config || !config->versions.serves(number, numbers)) continue;
        loaded.wanted.push_back(number);
        if (!load_version(folder, number, *config)) loaded.all_serve = false;
    }
    if (!config) {
        loaded.failure = config.error();
    } else if (loaded.wanted.empty()) {
        loaded.failure =
            Error{ErrorCode::kInvalidArgument,
                  folder.path.string() + " holds no version that version_policy serves"};
    }
    if (loaded.failure) {
        spdlog::error(
            "model_failed model={} reason={}", name, observe::quoted(loaded.failure->message));
    }
    for (const std::int64_t number : parts_.table.end_load(name, loaded)) retire(name, number);
}

bool ModelLifecycle::load_version(const ModelFolder& folder,
                                  std::int64_t number,
                                  const ModelConfig& config) {
    const Clock::time_point start = Clock::now();
    const Result<fs::path> file = parts_.store.fetch(folder, number, config.default_model_filename);
    Stamp stamp{file ? written(*file) : fs::file_time_type::min(),
                written(folder.config_file()),
                file ? written_samples(*file, config) : std::vector<fs::file_time_type>{}};
    if (!parts_.table.begin_load(folder.name, number, stamp)) return true;
    if (file) log_warnings(folder.name, parts_.loader.warnings(*file, config));
    const Result<std::shared_ptr<LoadedModel>> model =
        file ? parts_.loader.load(folder.name, number, *file, config)
             : tl::unexpected(file.error());
    if (!model) {
        if (!parts_.control.cancelled()) {
            spdlog::error("model_failed model={} version={} reason={}",
                          folder.name,
                          number,
                          observe::quoted(model.error().message));
        }
        parts_.table.note_failure(folder.name, number, model.error());
        return false;
    }
    parts_.listener.on_ready(*model);
    spdlog::info("model_ready model={} version={} load_ms={:.1f}",
                 folder.name,
                 number,
                 milliseconds_since(start));
    const auto version = std::make_shared<const ServedVersion>(
        ServedVersion::of(**model, *file, std::move(stamp), config));
    parts_.table.serve(version);
    improve_later(*version);
    return true;
}

void ModelLifecycle::unload(const std::string& name) {
    for (const std::int64_t number : parts_.table.begin_unload(name)) retire(name, number);
}

void ModelLifecycle::retire(const std::string& name, std::int64_t number) {
    const ModelTable::Serving served = parts_.table.remove(name, number);
    if (served == nullptr) return;
    parts_.listener.on_retired(*served->spec);
    spdlog::info("model_retired model={} version={}", name, number);
}

Result<bool> ModelLifecycle::reconfigure(const ServedVersion& now, const ModelConfig& wanted) {
    if (!needs_sessions(now.loaded, wanted)) {
        parts_.listener.on_reconfigured(*now.spec, wanted.queue, wanted.max_batch_size.value_or(0));
        ServedVersion changed = now;
        changed.config = wanted;
        parts_.table.replace(std::make_shared<const ServedVersion>(std::move(changed)));
        return false;
    }
    LEPTON_TRY(const std::shared_ptr<LoadedModel> model,
               parts_.loader.load(now.name(), now.number(), now.file, wanted));
    parts_.listener.on_ready(model);
    Stamp stamp{written(now.file), now.stamp.config, written_samples(now.file, wanted)};
    const auto version = std::make_shared<const ServedVersion>(
        ServedVersion::of(*model, now.file, std::move(stamp), wanted));
    parts_.table.replace(version);
    improve_later(*version);
    return true;
}

void ModelLifecycle::improve_later(const ServedVersion& version) {
    BackgroundTuner::Job job{.name = version.name(),
                             .version = version.number(),
                             .file = version.file,
                             .config = version.loaded};
    if (version.rest) {
        follow_later(std::move(job), *version.rest);
    } else if (!version.plan.tuned && parts_.tuning == TuningTime::kLater) {
        parts_.tuner.add(std::move(job));
    }
}

void ModelLifecycle::follow_later(BackgroundTuner::Job job, TuningPlan plan) {
    std::string key = job.name + "/" + std::to_string(job.version);
    parts_.control.add(
        {.lane = ControlThread::Lane::kImprovement,
         .key = std::move(key),
         .run = [this, job = std::move(job), plan = std::move(plan)] { follow(job, plan); }});
}

void ModelLifecycle::on_tuned(const BackgroundTuner::Job& job, Result<TuningPlan> plan) {
    if (plan) return follow_later(job, *std::move(plan));
    if (plan.error().code == ErrorCode::kUnavailable) return;  // Stopping.
    log_tuning_failed(job, plan.error());
}

void ModelLifecycle::follow(const BackgroundTuner::Job& job, const TuningPlan& plan) {
    const ModelTable::Serving now = parts_.table.serving(job.name, std::to_string(job.version));
    // It may have been replaced, unloaded or changed, and is measured anew then.
    if (now == nullptr || now->plan.tuned || now->file != job.file ||
        needs_sessions(now->loaded, job.config)) {
        return;
    }
    if (now->plan.same_sessions(plan)) {
        ServedVersion same = *now;
        same.plan = plan;
        parts_.table.replace(std::make_shared<const ServedVersion>(std::move(same)));
        spdlog::info("tuned model={} version={} result=as_it_was", job.name, job.version);
        return;
    }
    const Result<std::shared_ptr<LoadedModel>> model =
        parts_.loader.load(job.name, job.version, job.file, now->config, plan);
    if (!model) return log_tuning_failed(job, model.error());
    parts_.listener.on_ready(*model);
    if (plan.tuned) ++tuned_changes_;
    spdlog::info("sessions_replaced model={} version={} tuned={} threads={} largest_batch={}",
                 job.name,
                 job.version,
                 plan.tuned,
                 plan.threads,
                 plan.batches ? plan.service_times.back().rows : 0);
    const auto version = std::make_shared<const ServedVersion>(
        ServedVersion::of(**model, now->file, now->stamp, now->config));
    parts_.table.replace(version);
    improve_later(*version);
}

}  // namespace lepton::model
