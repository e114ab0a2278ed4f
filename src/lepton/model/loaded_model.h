#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/device.h"
#include "lepton/core/model_spec.h"
#include "lepton/engine/engine.h"
#include "lepton/model/tuning/tuning_plan.h"

namespace lepton::model {

enum class QueuePolicy : std::uint8_t {
    kDeadline,  // As many in time as can be; nothing to configure.
    kFifo,      // In order of arrival, as Triton's dynamic batcher.
};

// How long calls wait for a run, as Triton's queue policies have it: a run may take any time.
struct WaitBound {
    Clock::duration longest{};  // Zero: no bound.
    // For kFifo: what has waited for so long goes behind all others of its priority. Otherwise it
    // is refused.
    bool delays = false;
    // For kFifo: also by the deadline of a request that has one. Others keep to each deadline.
    bool shortened = false;

    friend bool operator==(const WaitBound&, const WaitBound&) = default;
};

// How calls of one priority wait under kFifo.
struct LevelOptions {
    WaitBound wait;
    std::size_t max_queued_requests = 0;

    friend bool operator==(const LevelOptions&, const LevelOptions&) = default;
};

struct QueueOptions {
    QueuePolicy policy = QueuePolicy::kDeadline;
    std::size_t max_queued_requests = 1024;               // Bounds memory and the longest wait.
    std::size_t max_queued_bytes = std::size_t{1} << 30;  // The maximum of input tensors that wait.
    Clock::duration default_timeout{};   // For requests without a deadline; zero: none.
    std::uint32_t default_priority = 2;  // For requests without one; 1 is the highest.
    // Requests of a priority beyond are like those without one. 0: no priority is beyond; for kFifo
    // all requests are alike then.
    std::uint32_t priority_levels = 0;
    WaitBound wait{};  // Counts where default_timeout is zero: a deadline says more.
    // The priorities that have bounds of their own.
    std::map<std::uint32_t, LevelOptions> levels{};
    // For kFifo only: how long an idle instance waits for company, and what is company enough.
    Clock::duration max_queue_delay{};
    std::vector<std::int64_t> preferred_batch_sizes{};
    // Share of the CPU time among the models that compete for it; above 0.
    double weight = 1.0;

    friend bool operator==(const QueueOptions&, const QueueOptions&) = default;
};

// One version of a model, compiled, warm, and ready to run. The scheduler gets it whole and is the
// only one to touch `sessions`; each of them is one instance.
struct LoadedModel {
    std::shared_ptr<const ModelSpec> spec;
    std::vector<std::unique_ptr<engine::Session>> sessions;
    // Ascending by rows, one per prepared row count; not empty.
    std::vector<ServiceTime> service_times;
    QueueOptions queue;
    std::string engine;              // Its name.
    int threads = 1;                 // Threads of each session.
    Device device{};                 // What computes the runs.
    TuningPlan plan;                 // By which the sessions were made,
    std::optional<TuningPlan> rest;  // and by which they are to be made once there is time.

    // Of one run. A device other than the CPU computes the runs of a session one after the other.
    [[nodiscard]] Demand demand() const {
        return {device, device.kind == DeviceKind::kCpu ? threads : 1};
    }
};

}  // namespace lepton::model
