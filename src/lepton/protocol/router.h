#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/model_control.h"
#include "lepton/core/request_record.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/admin/access.h"

namespace lepton::protocol {

class GrpcRoutes;
class RestRoutes;

// What the server says, byte for byte: takes each message off the network, answers what it can by
// itself (health, metadata, reflection, metrics), and turns the rest into inferences and their
// answers back into replies. One for all loops; it and everything that it is given must outlive
// them. Thread-safe: what it keeps per thread or per loop is confined to it.
class Router final : public net::Handler {
public:
    struct Options {
        std::string server_name = "lepton";
        std::string server_version = LEPTON_VERSION;
        // Answer a full queue and a missed deadline with Triton's status and text.
        bool triton_errors = false;
        // Of a request body once its Content-Encoding is off; what comes off the wire is bounded by
        // the network's own limits.
        std::size_t max_body_bytes = std::size_t{64} << 20;
        // Text of GET /metrics in Prometheus' format; without it the route is unknown.
        std::function<std::string()> metrics_page = nullptr;
        // What GET /v2/debug/slow shows: of a model or of all (empty), at most that many of each
        // kind. Without it the route is unknown.
        std::function<NotableRequests(std::string_view model, std::size_t limit)> slow_requests =
            nullptr;
        // Tells and changes how models are run; without it the routes of that are unknown.
        ModelControl* control = nullptr;
        // Told of each inference that could not be decoded, for a model that is there; may be null.
        std::function<void(const ModelSpec& model, const InferCall& call, ErrorCode why)>
            on_undecoded = nullptr;
        // Looks on at every inference; may be null.
        CallObserver* observer = nullptr;
        // Who may ask for what is not every client's; its audit is told of the changes as well.
        AccessRules::Options access{};
    };

    Router(InferService& service,
           const ModelCatalog& catalog,
           memory::BufferPool& pool,
           Options options);
    ~Router() override;

    void handle(net::Exchange& exchange) noexcept override;

private:
    std::unique_ptr<RestRoutes> rest_;
    std::unique_ptr<GrpcRoutes> grpc_;
};

}  // namespace lepton::protocol
