#include "lepton/protocol/kserve/rest_routes.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lepton/protocol/admin/audit.h"
#include "lepton/protocol/admin/config_change.h"
#include "lepton/protocol/admin/model_config_page.h"
#include "lepton/protocol/admin/slow_page.h"
#include "lepton/protocol/content_encoding.h"
#include "lepton/protocol/kserve/rest_metadata.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

constexpr std::size_t kRoomForDescription = 2048;
// Of a change's body, which is read on the loop.
constexpr std::size_t kMostOfChange = std::size_t{64} << 10;

// What reading a route needs, and what posting to it does; nothing: that cannot be done.
struct Methods {
    std::optional<Access> read = Access::kData;
    std::optional<Access> post = std::nullopt;
};

constexpr Methods methods_of(Route route) {
    switch (route) {
        case Route::kInfer:
            return {.read = std::nullopt, .post = Access::kData};
        case Route::kConfig:
            return {.post = Access::kChange};
        case Route::kSlow:
            return {.read = Access::kInspect};
        case Route::kRoot:
        case Route::kMetrics:
        case Route::kServer:
        case Route::kLive:
        case Route::kReady:
        case Route::kModel:
        case Route::kModelReady:
            break;
    }
    return {};
}

Result<Access> access_needed(net::Exchange& exchange, Route route) {
    const auto [read, post] = methods_of(route);
    const net::Method method = exchange.message.method;
    if (post && method == net::Method::kPost) return *post;
    if (read && (method == net::Method::kGet || method == net::Method::kHead)) return *read;
    const std::string_view allowed = !post ? "GET, HEAD" : read ? "GET, HEAD, POST" : "POST";
    exchange.reply.fields.add("allow", allowed);
    return fail(ErrorCode::kMethodNotAllowed,
                concat({"the route ", in_quotes(exchange.message.path), " allows ", allowed}));
}

}  // namespace

RestRoutes::RestRoutes(InferService& service,
                       const ModelCatalog& catalog,
                       memory::BufferPool& pool,
                       Router::Options options)
    : catalog_(catalog),
      pool_(pool),
      options_(std::move(options)),
      style_(options_.triton_errors ? ErrorStyle::kTriton : ErrorStyle::kLepton),
      access_(options_.access),
      infer_(service, catalog, pool, options_) {}

void RestRoutes::handle(net::Exchange& exchange) noexcept {
    const Result<> done = dispatch(exchange);
    if (done) return;
    write_error(exchange, done.error(), style_, pool_);
    exchange.send();
}

// On success the reply was sent, or will be.
Result<> RestRoutes::dispatch(net::Exchange& exchange) {
    LEPTON_TRY(const HttpTarget target, parse_target(exchange.message.path));
    LEPTON_TRY(const Access needed, access_needed(exchange, target.route));
    if (const Result<> allowed = access_.check(exchange, needed, target.model); !allowed) {
        refuse(exchange, allowed.error());
        return {};
    }
    if (target.route == Route::kInfer) {
        exchange.call.request.model_name = target.model;
        exchange.call.request.model_version = target.version;
        infer_.handle(exchange);
        return {};
    }
    if (target.route == Route::kConfig && exchange.message.method == net::Method::kPost) {
        return start_change(exchange, target);
    }
    prepare_body(exchange.reply.body, kRoomForDescription, pool_);
    LEPTON_CHECK_OK(within_memory([&] { return describe(exchange, target); }));
    exchange.send();
    return {};
}

// A client of this machine may follow by itself.
void RestRoutes::refuse(net::Exchange& exchange, const Error& error) {
    write_error(exchange, error, style_, pool_, access_.other_url(exchange));
    exchange.send();
}

Result<> RestRoutes::describe(net::Exchange& exchange, const HttpTarget& target) {
    memory::Buffer& body = exchange.reply.body;
    switch (target.route) {
        case Route::kRoot:
            write_overview(options_.server_name, options_.server_version, catalog_.models(), body);
            return {};
        case Route::kMetrics:
            if (!options_.metrics_page) {
                return fail(ErrorCode::kModelNotFound, "this server has no metrics page");
            }
            exchange.reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
            body.append(std::string_view(options_.metrics_page()));
            compress_if_asked(exchange);
            return {};
        case Route::kSlow: {
            if (!options_.slow_requests) {
                return fail(ErrorCode::kModelNotFound, "this server keeps no slow requests");
            }
            LEPTON_TRY(const SlowQuery query, parse_slow_query(exchange.message.query));
            write_slow_page(options_.slow_requests(query.model, query.limit), body);
            return {};
        }
        case Route::kServer:
            write_server_metadata(options_.server_name, options_.server_version, body);
            return {};
        case Route::kLive:
            write_flag("live", body);
            return {};
        case Route::kReady:
            LEPTON_CHECK_OK(catalog_.ready());
            write_flag("ready", body);
            return {};
        case Route::kModel: {
            LEPTON_TRY(const auto model, catalog_.find(target.model, target.version));
            write_model_metadata(*model, catalog_.versions(target.model), body);
            return {};
        }
        case Route::kModelReady: {
            LEPTON_TRY(const auto model, catalog_.find(target.model, target.version));
            write_model_ready(*model, body);
            return {};
        }
        case Route::kConfig: {
            LEPTON_TRY(ModelControl * control, model_control());
            LEPTON_TRY(const ModelConfiguration now,
                       control->configuration(target.model, target.version));
            write_model_config(now, body);
            return {};
        }
        case Route::kInfer:
            break;
    }
    return fail(ErrorCode::kInternal, "a route is not described");
}

void RestRoutes::compress_if_asked(net::Exchange& exchange) {
    const auto encoding = preferred_encoding(exchange.message.fields);
    if (!compress(exchange.reply.body, encoding, pool_)) return;
    exchange.reply.fields.add("content-encoding", to_string(encoding));
}

Result<ModelControl*> RestRoutes::model_control() const {
    if (options_.control != nullptr) return options_.control;
    return fail(ErrorCode::kModelNotFound, "this server does not tell how models are run");
}

// A change under way, with the exchange that it is to answer.
struct RestRoutes::PendingChange final : net::HandlerState {
    explicit PendingChange(net::Exchange& /*exchange*/) {}

    std::shared_ptr<AnsweredChange> answer;
};

// What a change came to, on its way from the control's thread to the loop's.
struct RestRoutes::AnsweredChange final : Task {
    AnsweredChange(RestRoutes& of, net::Exchange& to)
        : routes(of), exchange(to), result(fail(ErrorCode::kInternal, "the change got lost")) {}

    // NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
    void run() noexcept override {
        const std::shared_ptr<AnsweredChange> alive =
            std::move(exchange.state<PendingChange>().answer);
        if (result) {
            prepare_body(exchange.reply.body, kRoomForDescription, routes.pool_);
            write_config_changed(*result, exchange.reply.body);
        } else {
            write_error(exchange, result.error(), routes.style_, routes.pool_);
        }
        exchange.send();
    }

    RestRoutes& routes;
    net::Exchange& exchange;
    Result<ConfigChanged> result;
};

Result<ConfigChange> RestRoutes::read_change(net::Message& message,
                                             const HttpTarget& target) const {
    LEPTON_TRY(const ContentEncoding encoding,
               parse_content_encoding(message.fields.find("content-encoding")));
    LEPTON_CHECK_OK(decompress(message.body, encoding, kMostOfChange, pool_));
    if (message.body.size() > kMostOfChange) {
        return fail(ErrorCode::kPayloadTooLarge,
                    concat({"a change has at most ", std::to_string(kMostOfChange), " bytes"}));
    }
    LEPTON_TRY(ConfigChange change, parse_config_change(message.body));
    change.model = target.model;
    change.version = target.version;
    return change;
}

// The answer comes when the change is in force, which may take as long as loading the model.
Result<> RestRoutes::start_change(net::Exchange& exchange, const HttpTarget& target) {
    LEPTON_TRY(ModelControl * control, model_control());
    ChangeAudit audit(options_.access.audit, exchange, target.model, target.version);
    Result<ConfigChange> change = read_change(exchange.message, target);
    if (!change) {
        audit.tell(tl::unexpected(change.error()));
        return tl::unexpected(change.error());
    }
    audit.set_change(*change, control->configuration(target.model, target.version));
    const auto answer = std::make_shared<AnsweredChange>(*this, exchange);
    // The exchange keeps it, should the loop never run it.
    exchange.state<PendingChange>().answer = answer;
    EventLoop& loop = *exchange.call.loop;
    control->change(*std::move(change), [answer, &loop, audit](Result<ConfigChanged> result) {
        audit.tell(result);  // Here, since the loop may have ended: the change was made.
        answer->result = std::move(result);
        loop.post(*answer);
    });
    return {};
}

}  // namespace lepton::protocol
