#include "lepton/protocol/grpc/grpc_health.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <health.pb.h>

#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/protobuf/grpc_message.h"
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

// The watched calls of one loop, by the service that they watch: what there is to look up is as
// much as there are names, and a client's many calls cost no more than few. Confined to the loop.
class GrpcHealth::LoopWatchers {
public:
    LoopWatchers(const GrpcHealth& health, EventLoop& loop) : health_(health), loop_(loop) {}

    void add(net::Exchange& exchange, const std::string& name) {
        const auto [found, is_new] = services_.try_emplace(name, *this);
        Service& service = found->second;
        if (is_new) service.last = status_of(name, health_.catalog_);
        service.name = found->first;
        service.calls.insert(&exchange);
        exchange.state<Watch>().service = &service;
        exchange.held = true;
        push(exchange, service.last);
        if (!scheduled_) schedule();
    }

private:
    // Names that are looked up at once; those behind them wait for the next time.
    static constexpr std::size_t kMostLooks = 512;

    struct Service {
        explicit Service(LoopWatchers& watchers) : owner(watchers) {}

        LoopWatchers& owner;
        std::string_view name;                       // The key.
        Status last = HealthCheckResponse::UNKNOWN;  // What the clients were told.
        std::unordered_set<net::Exchange*> calls;
    };

    // A watched call.
    struct Watch final : net::HandlerState {
        explicit Watch(net::Exchange& of) : exchange(of) {}
        void on_gone() noexcept override { service->owner.end(exchange, *service); }

        net::Exchange& exchange;
        Service* service = nullptr;
    };

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
        const std::size_t looks = std::min(services_.size(), kMostLooks);
        for (std::size_t i = 0; i < looks && !services_.empty(); ++i) {
            auto next = services_.upper_bound(looked_up_);
            if (next == services_.end()) next = services_.begin();
            looked_up_ = next->first;
            const Status status = status_of(looked_up_, health_.catalog_);
            if (std::exchange(next->second.last, status) != status) push_all(looked_up_, status);
        }
        if (!services_.empty()) schedule();
    }

    // send() may take any call off the list, and with the last one the service.
    void push_all(const std::string& name, Status status) {
        const auto& calls = services_.at(name).calls;
        for (net::Exchange* call : std::vector(calls.begin(), calls.end())) {
            const auto service = services_.find(name);
            if (service == services_.end()) return;
            if (service->second.calls.contains(call)) push(*call, status);
        }
    }

    void push(net::Exchange& exchange, Status status) {
        exchange.reply.clear();
        exchange.reply.last = false;
        write_status(status, health_.pool_, exchange.reply);
        exchange.send();
    }

    void end(net::Exchange& exchange, Service& service) {
        service.calls.erase(&exchange);
        if (service.calls.empty()) services_.erase(services_.find(service.name));
        exchange.reply.clear();
        write_error(exchange,
                    {ErrorCode::kCancelled, "the client ended the watch"},
                    ErrorStyle::kLepton,
                    health_.pool_);
        exchange.send();
    }

    void schedule() {
        scheduled_ = true;
        loop_.run_at(Clock::now() + kWatchInterval, tick_);
    }

    const GrpcHealth& health_;
    EventLoop& loop_;
    std::map<std::string, Service, std::less<>> services_;
    std::string looked_up_;  // The last name.
    bool scheduled_ = false;
    Tick tick_{*this};
};

GrpcHealth::GrpcHealth(const ModelCatalog& catalog, memory::BufferPool& pool)
    : catalog_(catalog), pool_(pool) {}

GrpcHealth::~GrpcHealth() = default;

Result<> GrpcHealth::check(net::Exchange& exchange) {
    HealthCheckRequest request;
    LEPTON_RETURN_IF_ERROR(parse_grpc(exchange.message, request));
    LEPTON_RETURN_IF_ERROR(check_name(request.service()));
    const Status status = status_of(request.service(), catalog_);
    if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
        return fail(ErrorCode::kModelNotFound,
                    concat({"there is no service or model ", in_quotes(request.service())}));
    }
    write_status(status, pool_, exchange.reply);
    return {};
}

Result<> GrpcHealth::watch(net::Exchange& exchange) {
    // The client closes its side after the one message: the watch goes on.
    if (exchange.held) return {};
    if (!exchange.message.has_body) {
        return fail(ErrorCode::kInvalidArgument, "the call ended without a message");
    }
    HealthCheckRequest request;
    LEPTON_RETURN_IF_ERROR(parse_grpc(exchange.message, request));
    LEPTON_RETURN_IF_ERROR(check_name(request.service()));
    watchers_of(*exchange.loop).add(exchange, request.service());
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
