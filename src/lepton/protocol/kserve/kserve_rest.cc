#include "lepton/protocol/kserve/kserve_rest.h"

#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/kserve/rest_metadata.h"

namespace lepton::protocol {

constexpr std::array<RestRoute<KserveRest>, 6> KserveRest::kRoutes = {{
    {Verb::kPost,
     "/v2/models/{model}[/versions/{version}]/infer",
     &KserveRest::infer,
     Access::kData},
    {Verb::kRead, "/v2[/]", &KserveRest::server, Access::kData},
    {Verb::kRead, "/v2/health/live[/]", &KserveRest::live, Access::kData},
    {Verb::kRead, "/v2/health/ready[/]", &KserveRest::ready, Access::kData},
    {Verb::kRead, "/v2/models/{model}[/versions/{version}][/]", &KserveRest::model, Access::kData},
    {Verb::kRead,
     "/v2/models/{model}[/versions/{version}]/ready",
     &KserveRest::model_ready,
     Access::kData},
}};

KserveRest::KserveRest(InferService& service,
                       const ModelCatalog& catalog,
                       memory::BufferPool& pool,
                       const Router::Options& options)
    : catalog_(catalog), pool_(pool), options_(options), infer_(service, catalog, pool, options) {}

Result<> KserveRest::infer(net::Exchange& exchange, const PathVariables& path) {
    infer_.handle(exchange, path.model, path.version);
    return {};
}

Result<> KserveRest::server(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, pool_, [this](memory::Buffer& body) {
        write_server_metadata(options_.server_name, options_.server_version, body);
        return Result<>();
    });
}

Result<> KserveRest::live(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, pool_, [](memory::Buffer& body) {
        write_flag("live", body);
        return Result<>();
    });
}

Result<> KserveRest::ready(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, pool_, [this](memory::Buffer& body) -> Result<> {
        LEPTON_RETURN_IF_ERROR(catalog_.ready());
        write_flag("ready", body);
        return {};
    });
}

Result<> KserveRest::model(net::Exchange& exchange, const PathVariables& path) {
    return send_page(exchange, pool_, [&](memory::Buffer& body) -> Result<> {
        LEPTON_TRY(const auto model, catalog_.find(path.model, path.version));
        write_model_metadata(*model, catalog_.versions(path.model), body);
        return {};
    });
}

Result<> KserveRest::model_ready(net::Exchange& exchange, const PathVariables& path) {
    return send_page(exchange, pool_, [&](memory::Buffer& body) -> Result<> {
        LEPTON_TRY(const auto model, catalog_.find(path.model, path.version));
        write_model_ready(*model, body);
        return {};
    });
}

}  // namespace lepton::protocol
