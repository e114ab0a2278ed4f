#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/model_spec.h"
#include "lepton/engine/engine.h"

namespace lepton::model {

// How long one run of that many rows took when the model was warmed up.
struct ServiceTime {
    std::int64_t rows = 1;
    Clock::duration time{};
};

struct QueueOptions {
    std::size_t max_queued_requests = 1024;  // Bounds memory and the longest wait.
    Clock::duration default_timeout{};       // For requests without a deadline; zero: none.
};

// One version of a model, compiled, warm, and ready to run. The scheduler gets it whole and is the
// only one to touch `sessions`; each of them is one instance.
struct LoadedModel {
    std::shared_ptr<const ModelSpec> spec;
    std::vector<std::unique_ptr<engine::Session>> sessions;
    // Ascending by rows, one per prepared row count; not empty.
    std::vector<ServiceTime> service_times;
    QueueOptions queue;
};

}  // namespace lepton::model
