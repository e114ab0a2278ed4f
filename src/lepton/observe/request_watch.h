#pragma once

#include <cstdint>

#include "lepton/core/infer_service.h"
#include "lepton/observe/slow_requests.h"
#include "lepton/observe/span_exporter.h"
#include "lepton/observe/trace_options.h"

namespace lepton::observe {

// Sees every inference come and go: gives it its span, decides whether that is recorded, and keeps
// what is worth a look. Thread-safe.
class RequestWatch final : public CallObserver {
public:
    explicit RequestWatch(SlowRequests& slow) : slow_(slow) {}

    // Before the first request. `exporter` must outlive the watch.
    void export_to(SpanExporter& exporter, const Sampling& sampling);

    // A request that belongs to a trace gets a span of its own, also where none is exported: its
    // sender is told, and logs and the slow requests name the trace.
    void on_begin(InferCall& call) noexcept override;
    void on_written(const InferCall& call) noexcept override;

private:
    [[nodiscard]] bool samples(const TraceContext& trace) const;

    SlowRequests& slow_;
    SpanExporter* exporter_ = nullptr;
    bool parent_decides_ = true;
    bool all_ = false;
    // Of the lower half of a trace's identifier, which is random: those below are recorded.
    std::uint64_t below_ = 0;
};

}  // namespace lepton::observe
