#include "lepton/server/model_publisher.h"

#include <chrono>
#include <utility>

namespace lepton::server {

void ModelPublisher::on_ready(std::shared_ptr<model::LoadedModel> model) {
    pipeline_.publish(std::move(model));
}

void ModelPublisher::on_retired(const ModelSpec& spec) {
    pipeline_.retire(spec.name, spec.version);
}

void ModelPublisher::on_reconfigured(const ModelSpec& spec,
                                     const model::QueueOptions& queue,
                                     std::int64_t max_batch_size) {
    pipeline_.reconfigure(spec.name, spec.version, queue, max_batch_size);
}

model::LoadCounters ModelPublisher::load_of(const ModelSpec& spec) const {
    const auto counted = metrics_.of(spec.name, spec.version);
    const auto queued = counted->queue.snapshot();
    model::LoadCounters load;
    load.runs = counted->batch_rows.snapshot().count;
    load.run_time = std::chrono::nanoseconds(counted->run_ns.load());
    load.answered = queued.count;
    load.queued = std::chrono::nanoseconds(queued.sum);
    load.missed = counted->deadlines_missed.load();
    for (const auto& refused : counted->refused) load.missed += refused.load();
    return load;
}

}  // namespace lepton::server
