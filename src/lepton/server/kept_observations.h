#pragma once

#include "lepton/observe/metrics.h"
#include "lepton/observe/slow_requests.h"
#include "lepton/protocol/services.h"

namespace lepton::server {

// Gives the routes what the server counts and keeps. Thread-safe.
class KeptObservations final : public protocol::Observations {
public:
    KeptObservations(observe::Metrics& metrics, observe::SlowRequests& slow)
        : metrics_(metrics), slow_(slow) {}

    [[nodiscard]] std::string metrics_page() override { return metrics_.page(); }
    [[nodiscard]] NotableRequests slow_requests(std::string_view model,
                                                std::size_t limit) override {
        return slow_.read(model, limit, Clock::now());
    }
    void on_undecoded(const ModelSpec& model, const InferCall& call, ErrorCode why) override {
        metrics_.of(model.name, model.version)
            ->on_finished(call.timeline, call.request.deadline, &why, call.rows);
    }

private:
    observe::Metrics& metrics_;
    observe::SlowRequests& slow_;
};

}  // namespace lepton::server
