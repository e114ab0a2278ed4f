#include "lepton/model/repository/model_repository.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "lepton/observe/log.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

tl::unexpected<Error> stopping() { return fail(ErrorCode::kUnavailable, "the server is stopping"); }

// Clients ask for any name: what they are told has a bound.
std::string quoted_model(std::string_view name) {
    constexpr std::size_t kLongestName = 256;
    const bool cut = name.size() > kLongestName;
    return "model \"" + std::string(name.substr(0, kLongestName)) + (cut ? "...\"" : "\"");
}

// "a, b and 7 more", "none".
template <class Range, class NameOf>
std::string listed(const Range& all, NameOf name_of) {
    constexpr std::size_t kMostListed = 8;
    std::string text;
    std::size_t count = 0;
    for (const auto& one : all) {
        if (count == kMostListed) break;
        if (count++ > 0) text += ", ";
        text += name_of(one);
    }
    if (all.size() > count) text += " and " + std::to_string(all.size() - count) + " more";
    return text.empty() ? "none" : text;
}

}  // namespace

ModelRepository::ModelRepository(engine::EngineRegistry& engines, Options options)
    : options_(std::move(options)),
      loader_(engines, options_.loading),
      tuner_(loader_,
             {.delay = options_.tuning_delay,
              .on_tuned = [this](const BackgroundTuner::Job& job,
                                 Result<TuningPlan> plan) { on_tuned(job, std::move(plan)); }}),
      control_([this] { work(); }) {}

ModelRepository::~ModelRepository() { stop(); }

void ModelRepository::cancel() {
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    loader_.cancel();
}

void ModelRepository::stop() {
    cancel();
    tuner_.stop();
    if (control_.joinable()) control_.join();
    std::deque<PendingChange> forgotten;
    {
        const MutexLock lock(mutex_);
        forgotten.swap(changes_);
    }
    for (const PendingChange& pending : forgotten) pending.done(stopping());
}

Result<> ModelRepository::start() {
    LEPTON_TRY(const std::vector<ModelFolder> folders, scan_roots(options_.roots));
    if (folders.empty()) spdlog::warn("repository_empty roots={}", options_.roots.size());
    {
        const MutexLock lock(mutex_);
        for (const ModelFolder& folder : folders) {
            Model& model = models_[folder.name];
            model.folder = folder.path;
            model.found_at_start = true;
            enqueue(Action::kLoad, folder.name);
        }
        started_ = true;
    }
    changed_.notify_all();
    return {};
}

Result<> ModelRepository::load(const std::string& name) {
    LEPTON_TRY(const std::vector<ModelFolder> folders, scan_roots(options_.roots));
    const auto found = std::find_if(folders.begin(), folders.end(), [&](const ModelFolder& folder) {
        return folder.name == name;
    });
    if (found == folders.end()) {
        return fail(ErrorCode::kModelNotFound, quoted_model(name) + " is in no model repository");
    }
    {
        const MutexLock lock(mutex_);
        models_[name].folder = found->path;
        models_[name].unloaded = false;
        enqueue(Action::kLoad, name);
    }
    changed_.notify_all();
    return {};
}

Result<> ModelRepository::reload() {
    LEPTON_TRY(const std::vector<ModelFolder> folders, scan_roots(options_.roots));
    {
        const MutexLock lock(mutex_);
        for (const ModelFolder& folder : folders) {
            Model& model = models_[folder.name];
            if (model.unloaded) continue;
            model.folder = folder.path;
            enqueue(Action::kLoad, folder.name);
        }
    }
    changed_.notify_all();
    return {};
}

Result<> ModelRepository::unload(const std::string& name) {
    {
        const MutexLock lock(mutex_);
        const auto model = models_.find(name);
        if (model == models_.end()) {
            return fail(ErrorCode::kModelNotFound,
                        "no " + quoted_model(name) + ", there are: " + names_locked());
        }
        model->second.unloaded = true;
        enqueue(Action::kUnload, name);
    }
    changed_.notify_all();
    return {};
}

// The latest word on a model counts, so that the queue is bounded by the number of models.
void ModelRepository::enqueue(Action action, const std::string& name) {
    std::erase_if(commands_, [&](const Command& command) { return command.name == name; });
    commands_.push_back({action, name});
}

void ModelRepository::wait_until_settled() {
    MutexLock lock(mutex_);
    while ((busy_ || !commands_.empty() || !changes_.empty()) && !stopping_) {
        changed_.wait(lock.native());
    }
}

void ModelRepository::begin_drain() {
    const MutexLock lock(mutex_);
    draining_ = true;
}

void ModelRepository::work() {
    while (true) {
        Command command;
        std::optional<PendingChange> pending;
        std::optional<FoundPlan> plan;
        bool look = false;
        {
            MutexLock lock(mutex_);
            busy_ = false;
            if (commands_.empty() && changes_.empty()) changed_.notify_all();  // Settled.
            const Clock::time_point look_at = next_control();
            while (commands_.empty() && changes_.empty() && plans_.empty() && !stopping_ &&
                   Clock::now() < look_at) {
                if (look_at == Clock::time_point::max()) {
                    changed_.wait(lock.native());
                } else {
                    changed_.wait_until(lock.native(), look_at);
                }
            }
            if (stopping_) return;
            // Changes first: somebody waits for each.
            if (!changes_.empty()) {
                pending = std::move(changes_.front());
                changes_.pop_front();
            } else if (!commands_.empty()) {
                command = std::move(commands_.front());
                commands_.pop_front();
            } else if (!plans_.empty()) {
                plan = std::move(plans_.front());
                plans_.pop_front();
            } else {
                controlled_at_ = Clock::now();
                look = true;
            }
            // To complete what serves already is nothing to wait for.
            busy_ = !plan;
        }
        if (look) {
            control_now();
        } else if (pending) {
            pending->done(change_now(pending->change));
        } else if (plan) {
            apply_plan(*plan);
        } else if (command.action == Action::kLoad) {
            load_now(command.name);
        } else {
            unload_now(command.name);
        }
    }
}

Result<ModelConfig> ModelRepository::read_config(const ModelFolder& folder) {
    if (folder.versions.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    folder.path.string() + " holds no version folder such as 1");
    }
    LEPTON_TRY(ModelConfig config, read_model_config(folder.config_file()));
    for (const std::string& warning : config.warnings) {
        spdlog::warn("config_warning model={} text={}", folder.name, observe::quoted(warning));
    }
    if (!config.name.empty() && config.name != folder.name) {
        return fail(ErrorCode::kInvalidArgument,
                    folder.config_file().string() + " is of model \"" + config.name +
                        "\", the folder is called \"" + folder.name + "\"");
    }
    return config;
}

void ModelRepository::load_now(const std::string& name) {
    fs::path path;
    {
        const MutexLock lock(mutex_);
        path = models_.find(name)->second.folder;
    }
    const ModelFolder folder = scan_model(path);
    const Result<ModelConfig> config = read_config(folder);
    std::vector<std::int64_t> numbers;
    numbers.reserve(folder.versions.size());
    for (const VersionFolder& version : folder.versions) numbers.push_back(version.number);
    std::vector<std::int64_t> wanted;
    bool all_serve = config.has_value();
    for (const VersionFolder& version : folder.versions) {
        if (!config || !config->versions.serves(version.number, numbers)) continue;
        wanted.push_back(version.number);
        if (!load_version(folder, version, *config)) all_serve = false;
    }
    std::vector<std::int64_t> retired;
    {
        const MutexLock lock(mutex_);
        Model& model = models_.find(name)->second;
        model.visited = true;
        if (all_serve && !wanted.empty()) model.ready_once = true;
        model.failure.reset();
        if (!config) {
            model.failure = config.error();
        } else if (wanted.empty()) {
            model.failure = Error{ErrorCode::kInvalidArgument,
                                  path.string() + " holds no version that version_policy serves"};
        }
        for (const auto& [number, version] : model.versions) {
            if (std::find(wanted.begin(), wanted.end(), number) == wanted.end()) {
                retired.push_back(number);
            }
        }
        if (model.failure) {
            spdlog::error(
                "model_failed model={} reason={}", name, observe::quoted(model.failure->message));
        }
    }
    // What serves stays until all that is to replace it does.
    if (!all_serve || wanted.empty()) return;
    for (const std::int64_t number : retired) retire(name, number);
}

bool ModelRepository::load_version(const ModelFolder& folder,
                                   const VersionFolder& version,
                                   const ModelConfig& config) {
    const Clock::time_point start = Clock::now();
    const Result<fs::path> file = find_model_file(version.path, config.default_model_filename);
    const Stamp stamp{file ? written(*file) : fs::file_time_type::min(),
                      written(folder.config_file()),
                      file ? written_samples(*file, config) : std::vector<fs::file_time_type>{}};
    {
        const MutexLock lock(mutex_);
        Version& entry = models_.find(folder.name)->second.versions[version.number];
        if (entry.spec != nullptr && entry.stamp == stamp) return true;
        entry.loading = true;
    }
    Result<std::shared_ptr<LoadedModel>> loaded =
        file ? loader_.load(folder.name, version.number, *file, config)
             : tl::unexpected(file.error());
    std::shared_ptr<LoadedModel> model;
    std::optional<Error> failure;
    if (loaded) {
        model = *std::move(loaded);
        options_.on_ready(model);
        spdlog::info("model_ready model={} version={} load_ms={:.1f}",
                     folder.name,
                     version.number,
                     milliseconds_since(start));
    } else {
        failure = std::move(loaded).error();
        const MutexLock lock(mutex_);
        if (!stopping_) {
            spdlog::error("model_failed model={} version={} reason={}",
                          folder.name,
                          version.number,
                          observe::quoted(failure->message));
        }
    }
    const MutexLock lock(mutex_);
    Version& entry = models_.find(folder.name)->second.versions[version.number];
    entry.loading = false;
    entry.failure = std::move(failure);
    if (model == nullptr) return false;
    describe(entry, *model, config);
    entry.file = *file;
    entry.stamp = stamp;
    improve_later(entry);
    return true;
}

void ModelRepository::retire(const std::string& name, std::int64_t number) {
    bool served = false;
    {
        const MutexLock lock(mutex_);
        std::map<std::int64_t, Version>& versions = models_.find(name)->second.versions;
        served = versions[number].spec != nullptr;
        versions.erase(number);
    }
    if (!served) return;
    options_.on_retired(name, std::to_string(number));
    spdlog::info("model_retired model={} version={}", name, number);
}

void ModelRepository::unload_now(const std::string& name) {
    std::vector<std::int64_t> numbers;
    {
        const MutexLock lock(mutex_);
        Model& model = models_.find(name)->second;
        model.failure.reset();
        for (const auto& [number, version] : model.versions) numbers.push_back(number);
    }
    for (const std::int64_t number : numbers) retire(name, number);
}

std::vector<ModelRepository::Failure> ModelRepository::failures() const {
    const MutexLock lock(mutex_);
    std::vector<Failure> failures;
    for (const auto& [name, model] : models_) {
        if (model.failure) failures.push_back({name, "", *model.failure});
        for (const auto& [number, version] : model.versions) {
            if (version.failure)
                failures.push_back({name, std::to_string(number), *version.failure});
        }
    }
    return failures;
}

Result<> ModelRepository::ready() const {
    const auto not_ready = [](const std::string& why) {
        return fail(ErrorCode::kUnavailable, "the server is not ready: " + why);
    };
    const MutexLock lock(mutex_);
    if (draining_) return not_ready("it is draining");
    if (!started_) return not_ready("it is starting");
    std::string loading;
    std::string failed;
    for (const auto& [name, model] : models_) {
        if (!model.found_at_start || model.unloaded || model.ready_once) continue;
        if (!model.visited) {
            loading += (loading.empty() ? "" : ", ") + name;
        } else if (options_.strict_readiness) {
            failed.append(failed.empty() ? "" : "; ")
                .append(quoted_model(name))
                .append(" failed to load: ")
                .append(reason_of(model));
        }
    }
    if (!loading.empty()) failed.append(failed.empty() ? "" : "; ").append("loading " + loading);
    if (!failed.empty()) return not_ready(failed);
    // Where failures do not count, something has to be left.
    const bool empty = std::none_of(
        models_.begin(), models_.end(), [](const auto& entry) { return serves(entry.second); });
    if (empty && !models_.empty() && !options_.strict_readiness) {
        return not_ready("no model serves");
    }
    return {};
}

bool ModelRepository::serves(const Model& model) {
    return std::any_of(model.versions.begin(), model.versions.end(), [](const auto& version) {
        return version.second.spec != nullptr;
    });
}

std::string ModelRepository::reason_of(const Model& model) {
    if (model.failure) return model.failure->message;
    for (const auto& [number, version] : model.versions) {
        if (version.failure) return version.failure->message;
    }
    return "no version is there";
}

std::string ModelRepository::names_locked() const {
    return listed(models_, [](const auto& entry) -> std::string_view { return entry.first; });
}

Result<std::shared_ptr<const ModelSpec>> ModelRepository::find(std::string_view name,
                                                               std::string_view version) const {
    const MutexLock lock(mutex_);
    const auto found = models_.find(name);
    if (found == models_.end()) {
        return fail(ErrorCode::kModelNotFound,
                    "no " + quoted_model(name) + ", there are: " + names_locked());
    }
    const Model& model = found->second;
    std::vector<std::int64_t> served;
    std::string reason = model.failure ? model.failure->message : "";
    bool loading = !model.visited && !model.unloaded;
    for (auto entry = model.versions.rbegin(); entry != model.versions.rend(); ++entry) {
        const std::string number = std::to_string(entry->first);
        const bool asked_for = version.empty() || version == number;
        if (asked_for && entry->second.spec != nullptr) return entry->second.spec;
        if (entry->second.spec != nullptr) served.push_back(entry->first);
        if (!asked_for) continue;
        loading = loading || entry->second.loading;
        if (reason.empty() && entry->second.failure) reason = entry->second.failure->message;
    }
    if (loading) return fail(ErrorCode::kUnavailable, quoted_model(name) + " is loading");
    if (!reason.empty()) {
        return fail(ErrorCode::kUnavailable, quoted_model(name) + " failed to load: " + reason);
    }
    if (model.unloaded) return fail(ErrorCode::kUnavailable, quoted_model(name) + " is unloaded");
    std::reverse(served.begin(), served.end());
    return fail(ErrorCode::kModelNotFound,
                quoted_model(name) + " has no version \"" + std::string(version) +
                    "\", there are: " +
                    listed(served, [](std::int64_t number) { return std::to_string(number); }));
}

void ModelRepository::describe(Version& entry,
                               const LoadedModel& model,
                               const ModelConfig& config) {
    entry.spec = model.spec;
    entry.engine = model.engine;
    entry.plan = model.plan;
    entry.rest = model.rest;
    entry.measured.threads = model.threads;
    entry.measured.largest_batch = model.spec->batches ? model.service_times.back().rows : 0;
    entry.loaded = config;
    entry.config = config;
}

std::vector<std::string> ModelRepository::versions(std::string_view name) const {
    const MutexLock lock(mutex_);
    std::vector<std::string> numbers;
    const auto model = models_.find(name);
    if (model == models_.end()) return numbers;
    for (const auto& [number, version] : model->second.versions) {
        if (version.spec != nullptr) numbers.push_back(std::to_string(number));
    }
    return numbers;
}

std::vector<std::string> ModelRepository::models() const {
    const MutexLock lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, model] : models_) {
        if (serves(model)) names.push_back(name);
    }
    return names;
}

}  // namespace lepton::model
