#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/model_control.h"
#include "lepton/core/request_record.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/protocol/admin/access.h"

namespace lepton::protocol {

// What the server has seen of its requests, for the routes that tell of it. Thread-safe.
class Observations {
public:
    virtual ~Observations() = default;

    // The text of GET /metrics in Prometheus' format.
    [[nodiscard]] virtual std::string metrics_page() = 0;
    // What GET /v2/debug/slow shows: of a model or of all (empty), at most `limit` of each kind.
    [[nodiscard]] virtual NotableRequests slow_requests(std::string_view model,
                                                        std::size_t limit) = 0;
    // An inference for a model that is there could not be decoded.
    virtual void on_undecoded(const ModelSpec& model, const InferCall& call, ErrorCode why) = 0;
};

// What the routes stand on. All of it is thread-safe and outlives the router.
struct Services {
    InferService& inference;
    const ModelCatalog& catalog;
    memory::BufferPool& buffers;
    // Tells and changes how models are run; null: the routes of that are unknown.
    ModelControl* control = nullptr;
    // Null: the routes of that are unknown.
    Observations* observations = nullptr;
    // Looks on at every inference; may be null.
    CallObserver* observer = nullptr;
};

// How the server answers.
struct Settings {
    std::string server_name = "lepton";
    std::string server_version = LEPTON_VERSION;
    // Answer a full queue and a missed deadline with Triton's status and text.
    bool triton_errors = false;
    // The maximum of a body once its Content-Encoding is off; what comes off the wire is bounded by
    // the network's own limits.
    std::size_t max_body_bytes = std::size_t{64} << 20;
    // Who may ask for what is not every client's; its audit is told of the changes as well.
    AccessRules::Options access{};
};

}  // namespace lepton::protocol
