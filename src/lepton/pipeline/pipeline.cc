#include "lepton/pipeline/pipeline.h"

#include <utility>

namespace lepton::pipeline {

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

Pipeline::~Pipeline() { retire_all(); }

void Pipeline::stop_runs() { stop_->store(true, std::memory_order_relaxed); }  // See BatchRunner.

void Pipeline::abandon() {
    stop_runs();
    retire_all();
    retired_.abandon();
}

std::shared_ptr<scheduler::SharedCores> Pipeline::budget_of(Device device) {
    if (cores_ == nullptr || device.kind == DeviceKind::kCpu) return cores_;
    const MutexLock lock(mutex_);
    std::shared_ptr<scheduler::SharedCores>& budget = budgets_[device];
    // A device that computes by itself runs one batch after the other: it is one core.
    if (budget == nullptr) budget = std::make_shared<scheduler::SharedCores>(1);
    return budget;
}

void Pipeline::publish(std::shared_ptr<model::LoadedModel> model) {
    const std::shared_ptr<const ModelSpec> spec = model->spec;
    auto budget = budget_of(model->device);
    auto scheduler =
        std::make_shared<scheduler::ModelScheduler>(std::move(model),
                                                    metrics_.of(spec->name, spec->version),
                                                    loops_,
                                                    std::move(budget),
                                                    limits_);
    {
        const MutexLock lock(mutex_);
        directory_.put(spec->name, spec->version, scheduler);
        std::swap(models_[{spec->name, version_number(spec->version)}], scheduler);
    }
    if (scheduler != nullptr) retired_.add(std::move(scheduler));
}

void Pipeline::reconfigure(std::string_view name,
                           std::string_view version,
                           const model::QueueOptions& options,
                           std::int64_t max_batch_size) {
    SchedulerPtr scheduler;
    {
        const MutexLock lock(mutex_);
        const auto found = models_.find({std::string(name), version_number(version)});
        if (found == models_.end()) return;
        scheduler = found->second;
    }
    scheduler->reconfigure(options, max_batch_size);
}

void Pipeline::retire(std::string_view name, std::string_view version) {
    SchedulerPtr scheduler;
    {
        const MutexLock lock(mutex_);
        const auto found = models_.find({std::string(name), version_number(version)});
        if (found == models_.end()) return;
        directory_.remove(name, version);
        scheduler = std::move(found->second);
        models_.erase(found);
    }
    retired_.add(std::move(scheduler));
}

void Pipeline::retire_all() {
    decltype(models_) all;
    {
        const MutexLock lock(mutex_);
        directory_.clear();
        all.swap(models_);
    }
    for (auto& [key, scheduler] : all) retired_.add(std::move(scheduler));
}

void Pipeline::infer(InferCall& call) {
    const Request& request = call.request;
    // One that takes no more calls is no longer found: what took its place, if anything, is.
    while (const auto node = directory_.find(request.model_name, request.model_version)) {
        if (node->submit(call)) return;
    }
    const auto spec = catalog_.find(request.model_name, request.model_version);
    call.answer(spec ? Error{ErrorCode::kUnavailable,
                             "model \"" + std::string(request.model_name) + "\" is being replaced"}
                     : spec.error());
}

}  // namespace lepton::pipeline
