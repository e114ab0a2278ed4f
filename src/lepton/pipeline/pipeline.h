#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "lepton/core/device.h"
#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/sync.h"
#include "lepton/model/loaded_model.h"
#include "lepton/observe/metrics.h"
#include "lepton/pipeline/model_directory.h"
#include "lepton/pipeline/retirement.h"
#include "lepton/scheduler/model_scheduler.h"

namespace lepton::pipeline {

// Finds the node that answers for the model that a call names, and hands the call to it. Publishes
// and retires models; a single model is the graph of one node, its scheduler. Thread-safe.
class Pipeline final : public InferService {
public:
    // `catalog` explains names that are not served; both must outlive the pipeline. `cores`: that
    // the models of the CPU share, where those of another device take turns at it; 0: each may use
    // what it likes. `max_answer_bytes`: of the tensors of one
    // answer; 0: no bound.
    Pipeline(const ModelCatalog& catalog,
             observe::Metrics& metrics,
             int loops,
             int cores = 0,
             std::size_t max_answer_bytes = 0);
    ~Pipeline() override;  // Retires everything, and returns when all calls are complete.

    // From now on calls for this model and version go to `model`; one that was there is retired.
    void publish(std::shared_ptr<model::LoadedModel> model);
    // See ModelScheduler::reconfigure; nothing happens if the version is not served.
    void reconfigure(std::string_view name,
                     std::string_view version,
                     const model::QueueOptions& options,
                     std::int64_t max_batch_size);
    // Takes no more calls for it. Does not wait for those it has: they are answered, and then it is
    // freed.
    void retire(std::string_view name, std::string_view version);

    // Nothing is waited for any more: calls that run in pieces end after the one that runs, with
    // kUnavailable.
    void stop_runs();
    // Once the loops have stopped for good: refuses what is queued, of what was retired as well,
    // and returns when what runs has been handed back.
    void abandon();

    // Errors, besides the scheduler's: as ModelCatalog::find.
    void infer(InferCall& call) override;

private:
    using SchedulerPtr = std::shared_ptr<scheduler::ModelScheduler>;
    using Key = std::pair<std::string, std::int64_t>;  // Name and version.

    void retire_all();
    // What the models of a device share; null where each may use what it likes.
    std::shared_ptr<scheduler::SharedCores> budget_of(Device device);

    const ModelCatalog& catalog_;
    observe::Metrics& metrics_;
    const int loops_;
    const std::shared_ptr<scheduler::SharedCores> cores_;
    const std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);
    const scheduler::RunLimits limits_;
    ModelDirectory directory_;
    Mutex mutex_;                                                   // Not on a request's way.
    std::map<Key, SchedulerPtr> models_ LEPTON_GUARDED_BY(mutex_);  // All that is in directory_.
    std::map<Device, std::shared_ptr<scheduler::SharedCores>> budgets_
        LEPTON_GUARDED_BY(mutex_);  // Those of other devices than the CPU.
    Retirement retired_;            // Last: its thread uses what models hold.
};

}  // namespace lepton::pipeline
