#include "lepton/protocol/rest_router.h"

#include <algorithm>
#include <utility>

#include "lepton/protocol/admin/admin_rest.h"
#include "lepton/protocol/kserve/kserve_rest.h"
#include "lepton/protocol/server_rest.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

bool has_verb(const net::Message& message, Verb verb) {
    const net::Method method = message.method;
    if (verb == Verb::kPost) return method == net::Method::kPost;
    return method == net::Method::kGet || method == net::Method::kHead;
}

tl::unexpected<Error> unknown(std::string_view path) {
    return fail(ErrorCode::kModelNotFound, concat({"there is no route ", in_quotes(path)}));
}

tl::unexpected<Error> wrong_verb(net::Exchange& exchange, bool read, bool post) {
    const std::string_view allowed = !post ? "GET, HEAD" : read ? "GET, HEAD, POST" : "POST";
    exchange.reply.fields.add("allow", allowed);
    return fail(ErrorCode::kMethodNotAllowed,
                concat({"the route ", in_quotes(exchange.message.path), " allows ", allowed}));
}

}  // namespace

RestRouter::RestRouter(InferService& service,
                       const ModelCatalog& catalog,
                       memory::BufferPool& pool,
                       const Router::Options& options,
                       const std::vector<std::string_view>& grpc_services)
    : pool_(pool),
      style_(options.triton_errors ? ErrorStyle::kTriton : ErrorStyle::kLepton),
      access_(options.access) {
    // In this order they are looked at: first what is asked for most.
    add(std::make_unique<KserveRest>(service, catalog, pool, options));
    add(std::make_unique<ServerRest>(catalog, pool, options, overview_));
    add(std::make_unique<AdminRest>(pool, options));
    overview_ = routes();
    for (const std::string_view name : grpc_services) {
        overview_.push_back("gRPC " + std::string(name));
    }
}

void RestRouter::add(std::unique_ptr<RestRoutes> family) {
    for (std::size_t i = 0; i < family->size(); ++i) {
        entries_.push_back({family->line(i), family.get(), i});
    }
    families_.push_back(std::move(family));
}

void RestRouter::handle(net::Exchange& exchange) noexcept {
    const Result<> done = within_memory([&] { return dispatch(exchange); });
    if (done) return;
    write_error(exchange, done.error(), style_, pool_);
    exchange.send();
}

// On success the reply was sent, or will be.
Result<> RestRouter::dispatch(net::Exchange& exchange) {
    LEPTON_TRY(Found found, find(exchange));
    LEPTON_CHECK_OK(decode_variables(exchange.message.path, found.path));
    const Entry& entry = *found.entry;
    if (const auto allowed = access_.check(exchange, entry.line.access, found.path.model);
        !allowed) {
        // A client of this machine may follow by itself.
        write_error(exchange, allowed.error(), style_, pool_, access_.other_url(exchange));
        exchange.send();
        return {};
    }
    return entry.family->handle(entry.index, exchange, found.path);
}

Result<RestRouter::Found> RestRouter::find(net::Exchange& exchange) const {
    const PathSegments segments(exchange.message.path);
    bool read = false;
    bool post = false;
    for (const Entry& entry : entries_) {
        const auto path = entry.line.pattern->match(segments);
        if (!path) continue;
        if (has_verb(exchange.message, entry.line.verb)) return Found{&entry, *path};
        (entry.line.verb == Verb::kPost ? post : read) = true;
    }
    if (read || post) return wrong_verb(exchange, read, post);
    return unknown(exchange.message.path);
}

std::vector<std::string> RestRouter::routes() const {
    std::vector<std::string> texts;
    for (const Entry& entry : entries_) {
        const std::string pattern(entry.line.pattern->text());
        const std::string verb = entry.line.verb == Verb::kPost ? "POST" : "GET";
        // The lines of one pattern stand together in its family's table.
        if (!texts.empty() && texts.back() == "GET " + pattern) {
            texts.back() = concat({"GET, ", verb, " ", pattern});
        } else {
            texts.push_back(concat({verb, " ", pattern}));
        }
    }
    return texts;
}

}  // namespace lepton::protocol
