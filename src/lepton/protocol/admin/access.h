#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/net/message.h"
#include "lepton/protocol/admin/audit.h"

namespace lepton::protocol {

// What a route needs of whoever asks for it.
enum class Access : std::uint8_t {
    kData,     // Nothing: it is for every client.
    kInspect,  // It tells of other clients' requests.
    kChange,   // It changes the server.
};

// The one place that says who may ask for what, over REST and gRPC. Data is for whoever reaches the
// server; the rest is for those who come in by the admin listener. That listener is reached from
// every browser of its machine too, so nothing there is answered that a web page may have sent: not
// for a name that a page's own DNS made point here, not from another origin, and no change that
// needs no preflight (https://fetch.spec.whatwg.org/#http-cors-protocol). Thread-safe.
class AccessRules {
public:
    struct Options {
        // How a client of this machine gets to the admin listener; null or empty: there is none.
        std::function<std::string()> admin_url = nullptr;
        // By what names, besides addresses, clients may call the admin listener.
        std::vector<std::string> admin_hosts = {};
        Audit audit = nullptr;  // Told who was refused; may be null.
    };

    explicit AccessRules(Options options);

    // `model` is what the request is about, for the audit. Errors: kPermissionDenied, saying where
    // to ask instead; kUnsupportedMedia for a change that is not declared as JSON.
    [[nodiscard]] Result<> check(const net::Exchange& exchange,
                                 Access needed,
                                 std::string_view model = {}) const {
        // What a client of the data port asks for nearly always.
        if (needed == Access::kData && exchange.peer->door == net::Door::kData) return {};
        return check_further(exchange, needed, model);
    }
    // Where a client that was refused may be told to ask instead; empty: it may not.
    [[nodiscard]] std::string other_url(const net::Exchange& exchange) const;

private:
    Result<> check_further(const net::Exchange& exchange,
                           Access needed,
                           std::string_view model) const;
    Result<> refuse_at_data_port(const net::Exchange& exchange, Access needed) const;
    Result<> check_sender(const net::Exchange& exchange) const;
    [[nodiscard]] bool knows_host(std::string_view host, const net::Peer& peer) const;

    const Options options_;
};

}  // namespace lepton::protocol
