#include "client_state.h"

#include <algorithm>
#include <string>
#include <utility>

#include "background.h"
#include "grpc_exchange.h"
#include "http_exchange.h"

namespace lepton::client {
namespace {

tl::unexpected<Error> bad(std::string message) {
    return fail(ErrorCode::kInvalidArgument, std::move(message));
}

Result<> check(const ClientOptions& options) {
    using std::chrono::milliseconds;
    const auto in_ms = [](milliseconds time) { return std::to_string(time.count()) + " ms"; };
    if (options.endpoints.empty()) {
        return bad("the client has no endpoint; name one, e.g. http://127.0.0.1:8000");
    }
    if (options.timeout <= milliseconds(0)) {
        return bad("timeout is " + in_ms(options.timeout) + ", expected more than 0");
    }
    if (options.connect_timeout <= milliseconds(0)) {
        return bad("connect_timeout is " + in_ms(options.connect_timeout) +
                   ", expected more than 0");
    }
    if (options.max_connections_per_endpoint == 0) {
        return bad("max_connections_per_endpoint is 0, expected at least 1");
    }
    if (options.retry.max_attempts < 1) {
        return bad("retry.max_attempts is " + std::to_string(options.retry.max_attempts) +
                   ", expected at least 1, which is the first attempt");
    }
    if (!(options.hedge.quantile > 0 && options.hedge.quantile < 1)) {
        return bad("hedge.quantile is " + std::to_string(options.hedge.quantile) +
                   ", expected a number between 0 and 1");
    }
    return {};
}

HedgePolicy::Options hedging(const HedgeOptions& given) {
    return {.enabled = given.enabled,
            .quantile = given.quantile,
            .min_samples = given.min_samples,
            .extra_load = given.budget_ratio,
            .same_endpoint = given.same_endpoint,
            .min_delay = given.min_delay};
}

}  // namespace

Result<std::unique_ptr<ClientState>> ClientState::open(ClientOptions options) {
    LEPTON_RETURN_IF_ERROR(check(options));
    std::vector<Endpoint> endpoints;
    endpoints.reserve(options.endpoints.size());
    for (const std::string& url : options.endpoints) {
        LEPTON_TRY(Endpoint endpoint, parse_endpoint(url));
        endpoints.push_back(std::move(endpoint));
    }
    std::optional<TlsContext> tls;
    if (std::any_of(endpoints.begin(), endpoints.end(), [](const Endpoint& endpoint) {
            return endpoint.tls;
        })) {
        LEPTON_TRY(tls, TlsContext::open(options.tls));
    }
    return std::unique_ptr<ClientState>(
        new ClientState(std::move(options), std::move(endpoints), std::move(tls)));
}

ClientState::ClientState(ClientOptions given,
                         std::vector<Endpoint> places,
                         std::optional<TlsContext> tls)
    : options(std::move(given)),
      endpoints(std::move(places)),
      chooser(endpoints.size()),
      retry_budget({.tokens_per_call = options.retry.budget_ratio,
                    .most_tokens = static_cast<double>(options.retry.budget_burst)}),
      backoff{.first = options.retry.backoff, .most = options.retry.max_backoff},
      hedge(hedging(options.hedge)),
      pool(endpoints.size(),
           options.max_connections_per_endpoint,
           [this](std::size_t endpoint) { return connect(endpoint); }),
      tls_(std::move(tls)) {}

ClientState::~ClientState() {
    if (background_) background_->stop();
}

Background& ClientState::background() {
    std::call_once(background_started_, [this] { background_ = Background::start(*this); });
    return *background_;
}

std::unique_ptr<Connection> ClientState::connect(std::size_t index) {
    const Endpoint& endpoint = endpoints[index];
    std::unique_ptr<Exchange> exchange;
    if (endpoint.wire == Endpoint::Wire::kGrpc) {
        exchange = make_grpc_exchange({.authority = endpoint.authority,
                                       .tls = endpoint.tls,
                                       .max_answer_bytes = options.max_answer_bytes});
    } else {
        exchange = std::make_unique<HttpExchange>(endpoint.authority, options.max_answer_bytes);
    }
    return std::make_unique<Connection>(
        endpoint, index, endpoint.tls ? &*tls_ : nullptr, std::move(exchange));
}

}  // namespace lepton::client
