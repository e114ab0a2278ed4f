#pragma once

#include <array>
#include <string>
#include <vector>

#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/rest_route.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

// What is here, for who has nothing but the address: the overview and the metrics. Thread-safe.
class ServerRest final : public RestFamily<ServerRest> {
public:
    // `routes`: all that the overview lists.
    ServerRest(const Services& services,
               const Settings& settings,
               const std::vector<std::string>& routes);

private:
    friend RestFamily;

    Result<> overview(net::Exchange& exchange, const PathVariables& path);
    Result<> metrics(net::Exchange& exchange, const PathVariables& path);

    static const std::array<RestRoute<ServerRest>, 2> kRoutes;

    const Services& services_;
    const Settings& settings_;
    const std::vector<std::string>& routes_;
};

}  // namespace lepton::protocol
