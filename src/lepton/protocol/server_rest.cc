#include "lepton/protocol/server_rest.h"

#include "lepton/protocol/content_encoding.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/kserve/rest_metadata.h"

namespace lepton::protocol {

constexpr std::array<RestRoute<ServerRest>, 2> ServerRest::kRoutes = {{
    {Verb::kRead, "/", &ServerRest::overview, Access::kData},
    {Verb::kRead, "/metrics[/]", &ServerRest::metrics, Access::kData},
}};

ServerRest::ServerRest(const ModelCatalog& catalog,
                       memory::BufferPool& pool,
                       const Router::Options& options,
                       const std::vector<std::string>& routes)
    : catalog_(catalog), pool_(pool), options_(options), routes_(routes) {}

Result<> ServerRest::overview(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, pool_, [this](memory::Buffer& body) {
        write_overview(
            options_.server_name, options_.server_version, catalog_.models(), routes_, body);
        return Result<>();
    });
}

Result<> ServerRest::metrics(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, pool_, [&](memory::Buffer& body) -> Result<> {
        if (!options_.metrics_page) {
            return fail(ErrorCode::kModelNotFound, "this server has no metrics page");
        }
        exchange.reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
        body.append(std::string_view(options_.metrics_page()));
        const auto encoding = preferred_encoding(exchange.message.fields);
        if (compress(body, encoding, pool_)) {
            exchange.reply.fields.add("content-encoding", to_string(encoding));
        }
        return {};
    });
}

}  // namespace lepton::protocol
