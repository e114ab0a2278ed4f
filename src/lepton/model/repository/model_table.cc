#include "lepton/model/repository/model_table.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace lepton::model {
namespace {

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

std::string quoted_model(std::string_view name) {
    constexpr std::size_t kLongestName = 256;
    const bool cut = name.size() > kLongestName;
    return "model \"" + std::string(name.substr(0, kLongestName)) + (cut ? "...\"" : "\"");
}

void ModelTable::start(std::span<const ModelFolder> found) {
    const MutexLock lock(mutex_);
    for (const ModelFolder& folder : found) {
        Model& model = models_[folder.name];
        model.folder = folder;
        model.found_at_start = true;
    }
    started_ = true;
}

void ModelTable::begin_drain() {
    const MutexLock lock(mutex_);
    draining_ = true;
}

void ModelTable::want(const ModelFolder& folder) {
    const MutexLock lock(mutex_);
    Model& model = models_[folder.name];
    model.folder = folder;
    model.unloaded = false;
}

bool ModelTable::want_again(const ModelFolder& folder) {
    const MutexLock lock(mutex_);
    Model& model = models_[folder.name];
    if (model.unloaded) return false;
    model.folder = folder;
    return true;
}

Result<> ModelTable::want_no_more(const std::string& name) {
    const MutexLock lock(mutex_);
    const auto model = models_.find(name);
    if (model == models_.end()) {
        return fail(ErrorCode::kModelNotFound,
                    "no " + quoted_model(name) + ", there are: " + names());
    }
    model->second.unloaded = true;
    return {};
}

ModelFolder ModelTable::folder(const std::string& name) const {
    const MutexLock lock(mutex_);
    return models_.find(name)->second.folder;
}

bool ModelTable::begin_load(const std::string& name, std::int64_t number, const Stamp& stamp) {
    const MutexLock lock(mutex_);
    Version& version = models_.find(name)->second.versions[number];
    if (version.serving != nullptr && version.serving->stamp == stamp) return false;
    version.loading = true;
    return true;
}

void ModelTable::serve(Serving version) {
    const MutexLock lock(mutex_);
    Version& entry = models_.find(version->name())->second.versions[version->number()];
    entry.loading = false;
    entry.failure.reset();
    entry.serving = std::move(version);
}

void ModelTable::replace(Serving version) {
    const MutexLock lock(mutex_);
    Version& entry = models_.find(version->name())->second.versions[version->number()];
    entry.serving = std::move(version);
}

void ModelTable::note_failure(const std::string& name, std::int64_t number, Error error) {
    const MutexLock lock(mutex_);
    Version& version = models_.find(name)->second.versions[number];
    version.loading = false;
    version.failure = std::move(error);
}

std::vector<std::int64_t> ModelTable::end_load(const std::string& name, const Loaded& loaded) {
    const MutexLock lock(mutex_);
    Model& model = models_.find(name)->second;
    model.visited = true;
    model.failure = loaded.failure;
    std::vector<std::int64_t> unwanted;
    // What serves stays until all that is to replace it does.
    if (!loaded.all_serve || loaded.wanted.empty()) return unwanted;
    model.ready_once = true;
    for (const auto& [number, version] : model.versions) {
        if (std::find(loaded.wanted.begin(), loaded.wanted.end(), number) == loaded.wanted.end()) {
            unwanted.push_back(number);
        }
    }
    return unwanted;
}

std::vector<std::int64_t> ModelTable::begin_unload(const std::string& name) {
    const MutexLock lock(mutex_);
    Model& model = models_.find(name)->second;
    model.failure.reset();
    std::vector<std::int64_t> numbers;
    numbers.reserve(model.versions.size());
    for (const auto& [number, version] : model.versions) numbers.push_back(number);
    return numbers;
}

ModelTable::Serving ModelTable::remove(const std::string& name, std::int64_t number) {
    const MutexLock lock(mutex_);
    std::map<std::int64_t, Version>& versions = models_.find(name)->second.versions;
    const auto version = versions.find(number);
    if (version == versions.end()) return nullptr;
    Serving served = std::move(version->second.serving);
    versions.erase(version);
    return served;
}

ModelTable::Serving ModelTable::serving(std::string_view name, std::string_view version) const {
    const MutexLock lock(mutex_);
    const auto model = models_.find(name);
    if (model == models_.end()) return nullptr;
    const auto& versions = model->second.versions;
    for (auto entry = versions.rbegin(); entry != versions.rend(); ++entry) {
        const Serving& serving = entry->second.serving;
        if (serving == nullptr) continue;
        if (version.empty() || serving->spec->version == version) return serving;
    }
    return nullptr;
}

std::vector<ModelTable::Serving> ModelTable::all_serving() const {
    const MutexLock lock(mutex_);
    std::vector<Serving> all;
    for (const auto& [name, model] : models_) {
        for (const auto& [number, version] : model.versions) {
            if (version.serving != nullptr) all.push_back(version.serving);
        }
    }
    return all;
}

std::vector<ModelTable::Failure> ModelTable::failures() const {
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

Result<> ModelTable::ready() const {
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
        } else if (strict_readiness_) {
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
    if (empty && !models_.empty() && !strict_readiness_) {
        return not_ready("no model serves");
    }
    return {};
}

bool ModelTable::serves(const Model& model) {
    return std::any_of(model.versions.begin(), model.versions.end(), [](const auto& version) {
        return version.second.serving != nullptr;
    });
}

std::string ModelTable::reason_of(const Model& model) {
    if (model.failure) return model.failure->message;
    for (const auto& [number, version] : model.versions) {
        if (version.failure) return version.failure->message;
    }
    return "no version is there";
}

std::string ModelTable::names() const {
    return listed(models_, [](const auto& entry) -> std::string_view { return entry.first; });
}

Result<std::shared_ptr<const ModelSpec>> ModelTable::find(std::string_view name,
                                                          std::string_view version) const {
    const MutexLock lock(mutex_);
    const auto found = models_.find(name);
    if (found == models_.end()) {
        return fail(ErrorCode::kModelNotFound,
                    "no " + quoted_model(name) + ", there are: " + names());
    }
    const Model& model = found->second;
    std::vector<std::int64_t> served;
    std::string reason = model.failure ? model.failure->message : "";
    bool loading = !model.visited && !model.unloaded;
    for (auto entry = model.versions.rbegin(); entry != model.versions.rend(); ++entry) {
        const std::string number = std::to_string(entry->first);
        const bool asked_for = version.empty() || version == number;
        if (asked_for && entry->second.serving != nullptr) return entry->second.serving->spec;
        if (entry->second.serving != nullptr) served.push_back(entry->first);
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

std::vector<std::string> ModelTable::versions(std::string_view name) const {
    const MutexLock lock(mutex_);
    std::vector<std::string> numbers;
    const auto model = models_.find(name);
    if (model == models_.end()) return numbers;
    for (const auto& [number, version] : model->second.versions) {
        if (version.serving != nullptr) numbers.push_back(std::to_string(number));
    }
    return numbers;
}

std::vector<std::string> ModelTable::models() const {
    const MutexLock lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, model] : models_) {
        if (serves(model)) names.push_back(name);
    }
    return names;
}

}  // namespace lepton::model
