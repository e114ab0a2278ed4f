// Changes of models that serve: what a user asks for, and what a controller finds.

#include <sys/resource.h>

#include <string>
#include <utility>

#include "lepton/model/config/config_file.h"
#include "lepton/model/repository/model_repository.h"
#include "lepton/observe/log.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

// That all threads of the process have used.
Clock::duration cpu_time() {
    struct rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto to_duration = [](const timeval& time) -> Clock::duration {
        return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    };
    return to_duration(usage.ru_utime) + to_duration(usage.ru_stime);
}

// The same sample where max_batch_size of the answer leaves the batch axis out of `dims`, or not,
// other than the file's. Nothing where that cannot be said: of rows, a file holds a single one.
std::optional<WarmUpSample> with_other_dims(WarmUpSample sample, bool of_rows) {
    const std::int64_t before = sample.batch_size;
    sample.batch_size = 1;
    for (WarmUpSample::Input& input : sample.inputs) {
        Shape dims;
        std::int64_t rows = before;
        if (of_rows) {
            if (input.dims.empty() || input.dims[0] < 1) return std::nullopt;
            rows = input.dims[0];
            dims = input.dims.row();
            if (&input != &sample.inputs.front() && rows != sample.batch_size) return std::nullopt;
            sample.batch_size = rows;
        } else {
            dims.push_back(rows);
            for (const std::int64_t dim : input.dims) {
                if (!dims.push_back(dim)) return std::nullopt;
            }
        }
        if (input.content == WarmUpSample::Content::kFile && rows != 1) return std::nullopt;
        input.dims = dims;
    }
    return sample;
}

tl::unexpected<Error> stopping() { return fail(ErrorCode::kUnavailable, "the server is stopping"); }

}  // namespace

ModelConfiguration ModelRepository::to_configuration(const Version& entry) {
    const auto microseconds = [](Clock::duration time) -> std::int64_t {
        return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    };
    const ModelConfig& config = entry.config;
    ModelConfiguration now;
    now.spec = entry.spec;
    now.backend = entry.engine;
    now.file_name = entry.file.filename().string();
    now.instances = config.instances;
    now.max_batch_size = config.max_batch_size.value_or(0);
    now.fifo = config.queue.policy == QueuePolicy::kFifo;
    now.preferred_batch_sizes = config.queue.preferred_batch_sizes;
    now.max_queue_delay_us = microseconds(config.queue.max_queue_delay);
    const auto told = [&microseconds](const WaitBound& wait,
                                      std::size_t most) -> QueuePolicyConfiguration {
        return {.timeout_us = microseconds(wait.longest),
                .delays = wait.delays,
                .allows_override = wait.shortened,
                .max_queue_size = static_cast<std::int64_t>(most)};
    };
    now.queue_policy = told(config.queue.wait, config.queue.max_queued_requests);
    now.priority_levels = config.queue.priority_levels;
    now.default_priority_level = config.queue.default_priority;
    for (const auto& [priority, level] : config.queue.levels) {
        now.priority_queue_policies[priority] = told(level.wait, level.max_queued_requests);
    }
    now.latest_versions = config.versions.latest;
    now.specific_versions = config.versions.specific;
    const bool of_rows = now.max_batch_size > 0;
    for (const WarmUpSample& sample : config.warm_up) {
        std::optional<WarmUpSample> as_told = sample;
        if (of_rows != config.dims_of_rows) as_told = with_other_dims(sample, of_rows);
        if (as_told) now.warm_up.push_back(*std::move(as_told));
    }
    now.settings = settings_of(config, entry.measured);
    return now;
}

const ModelRepository::Version* ModelRepository::find_version(std::string_view name,
                                                              std::string_view version) const {
    const auto model = models_.find(name);
    if (model == models_.end()) return nullptr;
    const auto& versions = model->second.versions;
    for (auto entry = versions.rbegin(); entry != versions.rend(); ++entry) {
        if (entry->second.spec == nullptr) continue;
        if (version.empty() || entry->second.spec->version == version) return &entry->second;
    }
    return nullptr;
}

Result<ModelConfiguration> ModelRepository::configuration(std::string_view name,
                                                          std::string_view version) const {
    LEPTON_TRY(const auto spec, find(name, version));
    const MutexLock lock(mutex_);
    const Version* entry = find_version(name, spec->version);
    if (entry == nullptr)
        return fail(ErrorCode::kUnavailable, "model \"" + std::string(name) + "\" is retired");
    return to_configuration(*entry);
}

void ModelRepository::change(ConfigChange change, Done done) {
    Result<> taken = take_change(change, done);
    if (!taken) return done(tl::unexpected<Error>(std::move(taken).error()));
    changed_.notify_all();
}

Result<> ModelRepository::take_change(ConfigChange& change, Done& done) {
    const MutexLock lock(mutex_);
    if (stopping_) return stopping();
    if (changes_.size() >= kMostChanges) {
        return fail(ErrorCode::kQueueFull,
                    std::to_string(kMostChanges) + " changes are queued, the bound");
    }
    changes_.push_back({std::move(change), std::move(done)});
    return {};
}

Clock::time_point ModelRepository::next_control() const {
    for (const auto& [name, model] : models_) {
        for (const auto& [number, version] : model.versions) {
            if (version.spec != nullptr && version.config.instance_bounds.least > 0) {
                return controlled_at_ + options_.control_interval;
            }
        }
    }
    return Clock::time_point::max();
}

void ModelRepository::control_now() {
    struct Controlled {
        // Stays: only this thread takes versions out. Its controller is for this thread alone.
        Version& version;
        std::shared_ptr<const ModelSpec> spec;
        ModelConfig config;
        int threads;
    };
    std::vector<Controlled> all;
    {
        const MutexLock lock(mutex_);
        for (auto& [name, model] : models_) {
            for (auto& [number, version] : model.versions) {
                if (version.spec == nullptr || version.config.instance_bounds.least == 0) continue;
                all.push_back({version, version.spec, version.config, version.measured.threads});
            }
        }
    }
    for (Controlled& one : all) {
        std::optional<InstanceController>& controller = one.version.controller;
        const InstanceBounds& bounds = one.config.instance_bounds;
        if (!controller || controller->bounds() != bounds) {
            controller.emplace(bounds, options_.loading.cores, one.config.threads == 0);
        }
        const auto decision = controller->decide({.now = Clock::now(),
                                                  .counters = options_.load_of(*one.spec),
                                                  .cpu_time = cpu_time(),
                                                  .instances = one.config.instances,
                                                  .threads = one.threads});
        if (!decision) continue;
        const int before = std::exchange(one.config.instances, decision->instances);
        const auto changed = apply(one.spec->name, std::stoll(one.spec->version), one.config);
        if (changed) ++controlled_changes_;
        spdlog::info("instances_controlled model={} version={} from={} to={} reason={} result={}",
                     one.spec->name,
                     one.spec->version,
                     before,
                     decision->instances,
                     observe::quoted(decision->reason),
                     observe::quoted(changed ? "done" : changed.error().message));
    }
}

Result<ConfigChanged> ModelRepository::change_now(const ConfigChange& change) {
    LEPTON_TRY(const ModelConfiguration before, configuration(change.model, change.version));
    const std::string& name = before.spec->name;
    ModelConfig wanted;
    fs::path config_file;
    {
        const MutexLock lock(mutex_);
        wanted = find_version(name, before.spec->version)->config;
        config_file =
            ModelFolder{.name = name, .path = models_.find(name)->second.folder, .versions = {}}
                .config_file();
    }
    for (const auto& [setting, value] : change.settings) {
        LEPTON_CHECK_OK(set_setting(wanted, setting, value, SettingOrigin::kChanged));
    }
    LEPTON_CHECK_OK(check_change(wanted, change.settings, options_.loading.cores));
    std::optional<FileDraft> edit;
    if (change.save) {
        NamedSettings settings;
        for (const ModelSetting& setting : settings_of(wanted, {})) {
            if (setting.origin == SettingOrigin::kChanged) {
                settings.emplace_back(setting.name, setting.value);
            }
        }
        LEPTON_TRY(FileDraft prepared, draft_with_settings(config_file, settings));
        edit.emplace(std::move(prepared));
    }
    ConfigChanged changed;
    const std::int64_t number = std::stoll(before.spec->version);
    LEPTON_TRY(changed.reloaded, apply(name, number, wanted));
    if (edit) {
        LEPTON_CHECK_OK(edit->commit());
        changed.saved_to = config_file.string();
    }
    const MutexLock lock(mutex_);
    Version& entry = models_.find(name)->second.versions[number];
    if (edit) {
        entry.stamp.config = written(config_file);
        for (auto& [setting, origin] : entry.config.origins) origin = SettingOrigin::kConfigured;
    }
    changed.now = to_configuration(entry);
    for (std::size_t i = 0; i < before.settings.size(); ++i) {
        const ModelSetting& old = before.settings[i];
        const ModelSetting& now = changed.now.settings[i];
        if (old.value != now.value) {
            changed.differences.push_back({old.name, old.value, now.value});
        }
    }
    return changed;
}

Result<bool> ModelRepository::apply(const std::string& name,
                                    std::int64_t number,
                                    const ModelConfig& wanted) {
    std::shared_ptr<const ModelSpec> spec;
    fs::path file;
    bool reload = false;
    {
        const MutexLock lock(mutex_);
        const Version& now = models_.find(name)->second.versions[number];
        spec = now.spec;
        file = now.file;
        reload = needs_sessions(now.loaded, wanted);
    }
    std::shared_ptr<LoadedModel> model;
    if (reload) {
        LEPTON_TRY(model, loader_.load(name, number, file, wanted));
        options_.on_ready(model);
    } else {
        options_.on_reconfigured(*spec, wanted.queue, wanted.max_batch_size.value_or(0));
    }
    const MutexLock lock(mutex_);
    Version& entry = models_.find(name)->second.versions[number];
    if (reload) {
        describe(entry, *model, wanted);
        entry.stamp.model = written(file);
        entry.stamp.samples = written_samples(file, wanted);
        improve_later(entry);
    } else {
        entry.config = wanted;
    }
    return reload;
}

void ModelRepository::improve_later(const Version& entry) {
    BackgroundTuner::Job job{.name = entry.spec->name,
                             .version = std::stoll(entry.spec->version),
                             .file = entry.file,
                             .config = entry.loaded};
    if (entry.rest) {
        // By the control thread, which is the caller, as soon as nothing else waits.
        plans_.push_back({std::move(job), *entry.rest});
    } else if (!entry.plan.tuned && options_.loading.tuning == TuningTime::kLater) {
        tuner_.add(std::move(job));
    }
}

void ModelRepository::on_tuned(const BackgroundTuner::Job& job, Result<TuningPlan> plan) {
    if (!plan) {
        if (plan.error().code == ErrorCode::kUnavailable) return;  // Stopping.
        spdlog::warn("tuning_failed model={} version={} reason={}",
                     job.name,
                     job.version,
                     observe::quoted(plan.error().message));
        return;
    }
    {
        const MutexLock lock(mutex_);
        plans_.push_back({job, *std::move(plan)});
    }
    changed_.notify_all();
}

void ModelRepository::apply_plan(const FoundPlan& found) {
    const auto& [job, plan] = found;
    ModelConfig wanted;
    {
        const MutexLock lock(mutex_);
        const auto model = models_.find(job.name);
        if (model == models_.end()) return;
        const auto version = model->second.versions.find(job.version);
        if (version == model->second.versions.end()) return;
        // It may have been replaced, unloaded or changed, and is measured anew then.
        Version& entry = version->second;
        if (entry.spec == nullptr || entry.plan.tuned || entry.file != job.file ||
            needs_sessions(entry.loaded, job.config)) {
            return;
        }
        if (entry.plan.same_sessions(plan)) {
            entry.plan = plan;
            spdlog::info("tuned model={} version={} result=as_it_was", job.name, job.version);
            return;
        }
        wanted = entry.config;
    }
    const Result<std::shared_ptr<LoadedModel>> model =
        loader_.load(job.name, job.version, job.file, wanted, plan);
    if (!model) {
        spdlog::warn("tuning_failed model={} version={} reason={}",
                     job.name,
                     job.version,
                     observe::quoted(model.error().message));
        return;
    }
    options_.on_ready(*model);
    if (plan.tuned) ++tuned_changes_;
    spdlog::info("sessions_replaced model={} version={} tuned={} threads={} largest_batch={}",
                 job.name,
                 job.version,
                 plan.tuned,
                 plan.threads,
                 plan.batches ? plan.service_times.back().rows : 0);
    const MutexLock lock(mutex_);
    Version& entry = models_.find(job.name)->second.versions[job.version];
    describe(entry, **model, wanted);
    improve_later(entry);
}

}  // namespace lepton::model
