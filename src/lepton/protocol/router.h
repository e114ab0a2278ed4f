#pragma once

#include <memory>

#include "lepton/net/message.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

class GrpcRouter;
class RestRouter;

// What the server says, byte for byte: takes each message off the network, answers what it can by
// itself (health, metadata, reflection, metrics), and turns the rest into inferences and their
// answers back into replies. One for all loops; it and everything that it is given must outlive
// them. Thread-safe: what it keeps per thread or per loop is confined to it.
class Router final : public net::Handler {
public:
    Router(const Services& services, Settings settings);
    ~Router() override;

    void handle(net::Exchange& exchange) noexcept override;

private:
    const Services services_;
    const Settings settings_;
    std::unique_ptr<GrpcRouter> grpc_;
    std::unique_ptr<RestRouter> rest_;
};

}  // namespace lepton::protocol
