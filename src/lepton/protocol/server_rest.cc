#include "lepton/protocol/server_rest.h"

#include "lepton/protocol/content_encoding.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/kserve/rest_metadata.h"

namespace lepton::protocol {

constexpr std::array<RestRoute<ServerRest>, 2> ServerRest::kRoutes = {{
    {Verb::kRead, "/", &ServerRest::overview, Access::kData},
    {Verb::kRead, "/metrics[/]", &ServerRest::metrics, Access::kData},
}};

ServerRest::ServerRest(const Services& services,
                       const Settings& settings,
                       const std::vector<std::string>& routes)
    : services_(services), settings_(settings), routes_(routes) {}

Result<> ServerRest::overview(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, services_.buffers, [this](memory::Buffer& body) {
        write_overview(settings_.server_name,
                       settings_.server_version,
                       services_.catalog.models(),
                       routes_,
                       body);
        return Result<>();
    });
}

Result<> ServerRest::metrics(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, services_.buffers, [&](memory::Buffer& body) -> Result<> {
        if (services_.observations == nullptr) {
            return fail(ErrorCode::kModelNotFound, "this server has no metrics page");
        }
        exchange.reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
        body.append(std::string_view(services_.observations->metrics_page()));
        const auto encoding = preferred_encoding(exchange.message.fields);
        if (compress(body, encoding, services_.buffers)) {
            exchange.reply.fields.add("content-encoding", to_string(encoding));
        }
        return {};
    });
}

}  // namespace lepton::protocol
