#include "lepton/protocol/kserve/kserve_rest.h"

#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/kserve/rest_metadata.h"

namespace lepton::protocol {

constexpr std::array<RestRoute<KserveRest>, 7> KserveRest::kRoutes = {{
    {Verb::kPost,
     "/v2/models/{model}[/versions/{version}]/infer",
     &KserveRest::infer,
     Access::kData},
    {Verb::kRead, "/v2[/]", &KserveRest::server, Access::kData},
    {Verb::kRead, "/v2/health/live[/]", &KserveRest::live, Access::kData},
    {Verb::kRead, "/v2/health/ready[/]", &KserveRest::ready, Access::kData},
    {Verb::kRead, "/v2/models[/]", &KserveRest::models, Access::kData},  // Not of the protocol.
    {Verb::kRead, "/v2/models/{model}[/versions/{version}][/]", &KserveRest::model, Access::kData},
    {Verb::kRead,
     "/v2/models/{model}[/versions/{version}]/ready",
     &KserveRest::model_ready,
     Access::kData},
}};

KserveRest::KserveRest(const Services& services, const Settings& settings)
    : services_(services), settings_(settings), infer_(services, settings) {}

Result<> KserveRest::infer(net::Exchange& exchange, const PathVariables& path) {
    infer_.handle(exchange, path.model, path.version);
    return {};
}

Result<> KserveRest::server(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, services_.buffers, [this](memory::Buffer& body) {
        write_server_metadata(settings_.server_name, settings_.server_version, body);
        return Result<>();
    });
}

Result<> KserveRest::live(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, services_.buffers, [](memory::Buffer& body) {
        write_flag("live", body);
        return Result<>();
    });
}

Result<> KserveRest::ready(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, services_.buffers, [this](memory::Buffer& body) -> Result<> {
        LEPTON_RETURN_IF_ERROR(services_.catalog.ready());
        write_flag("ready", body);
        return {};
    });
}

Result<> KserveRest::models(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, services_.buffers, [this](memory::Buffer& body) {
        write_models(services_.catalog, body);
        return Result<>();
    });
}

Result<> KserveRest::model(net::Exchange& exchange, const PathVariables& path) {
    return send_page(exchange, services_.buffers, [&](memory::Buffer& body) -> Result<> {
        LEPTON_TRY(const auto model, services_.catalog.find(path.model, path.version));
        write_model_metadata(*model, services_.catalog.versions(path.model), body);
        return {};
    });
}

Result<> KserveRest::model_ready(net::Exchange& exchange, const PathVariables& path) {
    return send_page(exchange, services_.buffers, [&](memory::Buffer& body) -> Result<> {
        LEPTON_TRY(const auto model, services_.catalog.find(path.model, path.version));
        write_model_ready(*model, body);
        return {};
    });
}

}  // namespace lepton::protocol
