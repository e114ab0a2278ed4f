#include "lepton/pipeline/pipeline.h"

#include <charconv>
#include <utility>

namespace lepton::pipeline {
namespace {

// -1 for what is no version number; no version has that.
std::int64_t to_number(std::string_view version) {
    std::int64_t number = -1;
    const char* const begin = version.data();
    const char* const end = begin + version.size();
    const auto parsed = std::from_chars(begin, end, number);
    return parsed.ec == std::errc() && parsed.ptr == end ? number : -1;
}

}  // namespace

Pipeline::Pipeline(const ModelCatalog& catalog,
                   observe::Metrics& metrics,
                   int loops,
                   int cores,
                   std::size_t max_answer_bytes)
    : catalog_(catalog),
      metrics_(metrics),
      loops_(loops),
      cores_(cores > 0 ? std::make_shared<scheduler::SharedCores>(cores) : nullptr),
      limits_{.max_answer_bytes = max_answer_bytes, .stop = stop_} {
    if (cores_ == nullptr) return;
    metrics.add_gauge("lepton_cores_granted",
                      "Cores in use by models that compete for them",
                      [shared = cores_] { return double(shared->in_use()); });
}

Pipeline::~Pipeline() {
    for (const SchedulerPtr& scheduler : remove_all()) scheduler->close();
}

void Pipeline::stop_runs() { stop_->store(true, std::memory_order_relaxed); }  // See BatchRunner.

void Pipeline::abandon() {
    stop_runs();
    for (const SchedulerPtr& scheduler : remove_all()) scheduler->abandon();
}

void Pipeline::publish(std::shared_ptr<model::LoadedModel> model) {
    const std::shared_ptr<const ModelSpec> spec = model->spec;
    auto scheduler = std::make_shared<scheduler::ModelScheduler>(
        std::move(model), metrics_.of(spec->name, spec->version), loops_, cores_, limits_);
    {
        const MutexLock lock(mutex_);
        std::swap(models_[spec->name][to_number(spec->version)], scheduler);
    }
    if (scheduler != nullptr) scheduler->close();
}

void Pipeline::reconfigure(std::string_view name,
                           std::string_view version,
                           const model::QueueOptions& options,
                           std::int64_t max_batch_size) {
    if (const SchedulerPtr scheduler = find(name, version)) {
        scheduler->reconfigure(options, max_batch_size);
    }
}

void Pipeline::retire(std::string_view name, std::string_view version) {
    if (const SchedulerPtr scheduler = remove(name, version)) scheduler->close();
}

std::vector<Pipeline::SchedulerPtr> Pipeline::remove_all() {
    std::vector<SchedulerPtr> all;
    const MutexLock lock(mutex_);
    for (auto& [name, versions] : models_) {
        for (auto& [version, scheduler] : versions) all.push_back(std::move(scheduler));
    }
    models_.clear();
    return all;
}

Pipeline::SchedulerPtr Pipeline::remove(std::string_view name, std::string_view version) {
    const MutexLock lock(mutex_);
    const auto model = models_.find(name);
    if (model == models_.end()) return nullptr;
    const auto found = model->second.find(to_number(version));
    if (found == model->second.end()) return nullptr;
    SchedulerPtr scheduler = std::move(found->second);
    model->second.erase(found);
    if (model->second.empty()) models_.erase(model);
    return scheduler;
}

Pipeline::SchedulerPtr Pipeline::find(std::string_view name, std::string_view version) const {
    const MutexLock lock(mutex_);
    const auto model = models_.find(name);
    if (model == models_.end()) return nullptr;
    if (version.empty()) return model->second.rbegin()->second;
    const auto found = model->second.find(to_number(version));
    return found == model->second.end() ? nullptr : found->second;
}

void Pipeline::infer(InferCall& call) {
    const Request& request = call.request;
    // One that is closed is no longer found: what took its place, if anything, is.
    while (const SchedulerPtr scheduler = find(request.model_name, request.model_version)) {
        if (scheduler->submit(call)) return;
    }
    const auto spec = catalog_.find(request.model_name, request.model_version);
    call.answer(spec ? Error{ErrorCode::kUnavailable,
                             "model \"" + std::string(request.model_name) + "\" is being replaced"}
                     : spec.error());
}

}  // namespace lepton::pipeline
