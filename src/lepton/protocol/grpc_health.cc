#include "lepton/protocol/grpc_health.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <health.pb.h>

#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/grpc_message.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using Status = HealthCheckResponse::ServingStatus;

constexpr std::chrono::milliseconds kWatchInterval{100};

// The server's own names; every other one is a model's.
bool is_server(std::string_view service) {
    return service.empty() || service == "inference.GRPCInferenceService";
}

Result<> check_name(std::string_view service) {
    constexpr std::size_t kLongestName = 1024;  // A watch keeps it.
    if (service.size() <= kLongestName) return {};
    return fail(ErrorCode::kInvalidArgument,
                "the name of a service is longer than " + std::to_string(kLongestName) + " bytes");
}

Status status_of(std::string_view service, const ModelCatalog& catalog) {
    const Result<> serves =
        is_server(service) ? catalog.ready() : catalog.find(service, "").map([](const auto&) {});
    if (serves) return HealthCheckResponse::SERVING;
    return serves.error().code == ErrorCode::kModelNotFound ? HealthCheckResponse::SERVICE_UNKNOWN
                                                            : HealthCheckResponse::NOT_SERVING;
}

void write_status(Status status, memory::BufferPool& pool, net::Reply& reply) {
    HealthCheckResponse response;
    response.set_status(status);
    write_grpc(response, pool, reply);
}

}  // namespace

// The watched calls of one loop. Confined to it.
class GrpcHealth::LoopWatchers {
public:
    LoopWatchers(const GrpcHealth& health, EventLoop& loop) : health_(health), loop_(loop) {}

    [[nodiscard]] bool contains(const net::Exchange& exchange) const {
        return std::any_of(calls_.begin(), calls_.end(), [&](const Watched& watched) {
            return watched.exchange == &exchange;
        });
    }

    void add(net::Exchange& exchange, std::string service) {
        const Status status = status_of(service, health_.catalog_);
        calls_.push_back({&exchange, std::move(service), status});
        exchange.handler_state = this;
        exchange.on_gone = &on_gone;
        push(exchange, status);
        if (!scheduled_) schedule();
    }

private:
    // Looks again, once the interval is over.
    class Tick final : public Task {
    public:
        explicit Tick(LoopWatchers& watchers) : watchers_(watchers) {}
        void run() noexcept override { watchers_.push_changes(); }

    private:
        LoopWatchers& watchers_;
    };

    void push_changes() {
        scheduled_ = false;
        // By index: send() may take the call off the list.
        for (std::size_t i = 0; i < calls_.size(); ++i) {
            Watched& watched = calls_[i];
            const Status status = status_of(watched.service, health_.catalog_);
            if (watched.last == status) continue;
            watched.last = status;
            push(*watched.exchange, status);
        }
        if (!calls_.empty()) schedule();
    }

    struct Watched {
        net::Exchange* exchange;
        std::string service;
        Status last;  // What the client was told.
    };

    void push(net::Exchange& exchange, Status status) {
        exchange.reply.clear();
        exchange.reply.last = false;
        write_status(status, health_.pool_, exchange.reply);
        exchange.send();
    }

    static void on_gone(net::Exchange& exchange) noexcept {
        auto& self = *static_cast<LoopWatchers*>(exchange.handler_state);
        std::erase_if(self.calls_,
                      [&](const Watched& watched) { return watched.exchange == &exchange; });
        exchange.reply.clear();
        write_error(exchange,
                    {ErrorCode::kCancelled, "the client ended the watch"},
                    ErrorStyle::kLepton,
                    self.health_.pool_);
        exchange.send();
    }

    void schedule() {
        scheduled_ = true;
        loop_.run_at(Clock::now() + kWatchInterval, tick_);
    }

    const GrpcHealth& health_;
    EventLoop& loop_;
    std::vector<Watched> calls_;
    bool scheduled_ = false;
    Tick tick_{*this};
};

GrpcHealth::GrpcHealth(const ModelCatalog& catalog, memory::BufferPool& pool)
    : catalog_(catalog), pool_(pool) {}

GrpcHealth::~GrpcHealth() = default;

Result<> GrpcHealth::check(net::Exchange& exchange) {
    HealthCheckRequest request;
    LEPTON_CHECK_OK(parse_grpc(exchange.message, request));
    LEPTON_CHECK_OK(check_name(request.service()));
    const Status status = status_of(request.service(), catalog_);
    if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
        return fail(ErrorCode::kModelNotFound,
                    concat({"there is no service or model ", in_quotes(request.service())}));
    }
    write_status(status, pool_, exchange.reply);
    return {};
}

Result<> GrpcHealth::watch(net::Exchange& exchange) {
    LoopWatchers& watchers = watchers_of(*exchange.call.loop);
    // The client closes its side after the one message: the watch goes on.
    if (watchers.contains(exchange)) return {};
    if (!exchange.message.has_body) {
        return fail(ErrorCode::kInvalidArgument, "the call ended without a message");
    }
    HealthCheckRequest request;
    LEPTON_CHECK_OK(parse_grpc(exchange.message, request));
    LEPTON_CHECK_OK(check_name(request.service()));
    watchers.add(exchange, request.service());
    return {};
}

GrpcHealth::LoopWatchers& GrpcHealth::watchers_of(EventLoop& loop) {
    const auto index = static_cast<std::size_t>(loop.index());
    const MutexLock lock(mutex_);
    if (watchers_.size() <= index) watchers_.resize(index + 1);
    if (!watchers_[index]) watchers_[index] = std::make_unique<LoopWatchers>(*this, loop);
    return *watchers_[index];
}

}  // namespace lepton::protocol
