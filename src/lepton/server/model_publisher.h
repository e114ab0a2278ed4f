#pragma once

#include <cstdint>
#include <memory>

#include "lepton/core/model_spec.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/repository/model_listener.h"
#include "lepton/observe/metrics.h"
#include "lepton/pipeline/pipeline.h"

namespace lepton::server {

// Hands the repository's models to the pipeline, and tells the repository what was counted about
// them. Confined to the repository's control thread.
class ModelPublisher final : public model::ModelListener {
public:
    // Both outlive it.
    ModelPublisher(pipeline::Pipeline& pipeline, observe::Metrics& metrics)
        : pipeline_(pipeline), metrics_(metrics) {}

    void on_ready(std::shared_ptr<model::LoadedModel> model) override;
    void on_retired(const ModelSpec& spec) override;
    void on_reconfigured(const ModelSpec& spec,
                         const model::QueueOptions& queue,
                         std::int64_t max_batch_size) override;
    [[nodiscard]] model::LoadCounters load_of(const ModelSpec& spec) const override;

private:
    pipeline::Pipeline& pipeline_;
    observe::Metrics& metrics_;
};

}  // namespace lepton::server
