#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "connection_pool.h"
#include "endpoint.h"
#include "endpoint_chooser.h"
#include "hedge_policy.h"
#include "lepton/client.h"
#include "retry_backoff.h"
#include "retry_budget.h"
#include "tls.h"

namespace lepton::client {

// What all calls of one client share. Thread-safe.
class ClientState {
public:
    // Errors: kInvalidArgument, with the option's name.
    static Result<std::unique_ptr<ClientState>> open(ClientOptions options);
    ~ClientState();

    // Started on first use.
    Background& background();

    struct Counters {  // Relaxed: counts that publish nothing.
        std::atomic<std::uint64_t> calls{0};
        std::atomic<std::uint64_t> failures{0};
        std::atomic<std::uint64_t> retries{0};
        std::atomic<std::uint64_t> hedges{0};
        std::atomic<std::uint64_t> hedges_won{0};
    };

    const ClientOptions options;
    const std::vector<Endpoint> endpoints;
    EndpointChooser chooser;
    RetryBudget retry_budget;
    RetryBackoff backoff;
    HedgePolicy hedge;
    Counters counters;
    ConnectionPool pool;

private:
    ClientState(ClientOptions given, std::vector<Endpoint> places, std::optional<TlsContext> tls);
    std::unique_ptr<Connection> connect(std::size_t endpoint);

    std::optional<TlsContext> tls_;
    std::once_flag background_started_;
    std::shared_ptr<Background> background_;  // The last member: its thread uses all of the above.
};

}  // namespace lepton::client
