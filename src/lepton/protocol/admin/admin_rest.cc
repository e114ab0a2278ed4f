#include "lepton/protocol/admin/admin_rest.h"

#include <memory>
#include <string>
#include <utility>

#include "lepton/protocol/admin/audit.h"
#include "lepton/protocol/admin/config_change.h"
#include "lepton/protocol/admin/model_config_page.h"
#include "lepton/protocol/admin/slow_page.h"
#include "lepton/protocol/content_encoding.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

// The maximum of a change's body, which is read on the loop.
constexpr std::size_t kMostOfChange = std::size_t{64} << 10;

}  // namespace

constexpr std::array<RestRoute<AdminRest>, 3> AdminRest::kRoutes = {{
    {Verb::kRead,
     "/v2/models/{model}[/versions/{version}]/config",
     &AdminRest::config,
     Access::kData},
    {Verb::kPost,
     "/v2/models/{model}[/versions/{version}]/config",
     &AdminRest::change_config,
     Access::kChange},
    {Verb::kRead, "/v2/debug/slow[/]", &AdminRest::slow, Access::kInspect},
}};

AdminRest::AdminRest(const Services& services, const Settings& settings)
    : services_(services), settings_(settings) {}

Result<> AdminRest::config(net::Exchange& exchange, const PathVariables& path) {
    return send_page(exchange, services_.buffers, [&](memory::Buffer& body) -> Result<> {
        LEPTON_TRY(ModelControl * control, model_control());
        LEPTON_TRY(const ModelConfiguration now, control->configuration(path.model, path.version));
        write_model_config(now, body);
        return {};
    });
}

Result<> AdminRest::slow(net::Exchange& exchange, const PathVariables& /*path*/) {
    return send_page(exchange, services_.buffers, [&](memory::Buffer& body) -> Result<> {
        if (services_.observations == nullptr) {
            return fail(ErrorCode::kModelNotFound, "this server keeps no slow requests");
        }
        LEPTON_TRY(const SlowQuery query, parse_slow_query(exchange.message.query));
        write_slow_page(services_.observations->slow_requests(query.model, query.limit), body);
        return {};
    });
}

Result<ModelControl*> AdminRest::model_control() const {
    if (services_.control != nullptr) return services_.control;
    return fail(ErrorCode::kModelNotFound, "this server does not tell how models are run");
}

// A change under way, with the exchange that it is to answer.
struct AdminRest::PendingChange final : net::HandlerState {
    explicit PendingChange(net::Exchange& /*exchange*/) {}

    std::shared_ptr<AnsweredChange> answer;
};

// What a change came to, on its way from the control's thread to the loop's.
struct AdminRest::AnsweredChange final : Task {
    AnsweredChange(AdminRest& of, net::Exchange& to)
        : routes(of), exchange(to), result(fail(ErrorCode::kInternal, "the change got lost")) {}

    // NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
    void run() noexcept override {
        const std::shared_ptr<AnsweredChange> alive =
            std::move(exchange.state<PendingChange>().answer);
        if (result) {
            prepare_body(exchange.reply.body, kRoomForPage, routes.services_.buffers);
            write_config_changed(*result, exchange.reply.body);
        } else {
            const auto style =
                routes.settings_.triton_errors ? ErrorStyle::kTriton : ErrorStyle::kLepton;
            write_error(exchange, result.error(), style, routes.services_.buffers);
        }
        exchange.send();
    }

    AdminRest& routes;
    net::Exchange& exchange;
    Result<ConfigChanged> result;
};

Result<ConfigChange> AdminRest::read_change(net::Message& message,
                                            const PathVariables& path) const {
    LEPTON_TRY(const ContentEncoding encoding,
               parse_content_encoding(message.fields.find("content-encoding")));
    LEPTON_RETURN_IF_ERROR(decompress(message.body, encoding, kMostOfChange, services_.buffers));
    if (message.body.size() > kMostOfChange) {
        return fail(ErrorCode::kPayloadTooLarge,
                    concat({"a change has at most ", std::to_string(kMostOfChange), " bytes"}));
    }
    LEPTON_TRY(ConfigChange change, parse_config_change(message.body));
    change.model = path.model;
    change.version = path.version;
    return change;
}

// The answer comes when the change is in force, which may take as long as loading the model.
Result<> AdminRest::change_config(net::Exchange& exchange, const PathVariables& path) {
    LEPTON_TRY(ModelControl * control, model_control());
    ChangeAudit audit(settings_.access.audit, exchange, path.model, path.version);
    Result<ConfigChange> change = read_change(exchange.message, path);
    if (!change) {
        audit.tell(tl::unexpected(change.error()));
        return tl::unexpected(change.error());
    }
    audit.set_change(*change, control->configuration(path.model, path.version));
    const auto answer = std::make_shared<AnsweredChange>(*this, exchange);
    // The exchange keeps it, should the loop never run it.
    exchange.state<PendingChange>().answer = answer;
    EventLoop& loop = *exchange.loop;
    control->change(*std::move(change), [answer, &loop, audit](Result<ConfigChanged> result) {
        audit.tell(result);  // Here, since the loop may have ended: the change was made.
        answer->result = std::move(result);
        loop.post(*answer);
    });
    return {};
}

}  // namespace lepton::protocol
