#pragma once

#include <array>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/kserve/rest_infer.h"
#include "lepton/protocol/rest_route.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

// KServe v2 over HTTP: inference, health and metadata. Thread-safe.
class KserveRest final : public RestFamily<KserveRest> {
public:
    KserveRest(const Services& services, const Settings& settings);

private:
    friend RestFamily;

    Result<> infer(net::Exchange& exchange, const PathVariables& path);
    Result<> server(net::Exchange& exchange, const PathVariables& path);
    Result<> live(net::Exchange& exchange, const PathVariables& path);
    Result<> ready(net::Exchange& exchange, const PathVariables& path);
    Result<> models(net::Exchange& exchange, const PathVariables& path);
    Result<> model(net::Exchange& exchange, const PathVariables& path);
    Result<> model_ready(net::Exchange& exchange, const PathVariables& path);

    static const std::array<RestRoute<KserveRest>, 7> kRoutes;

    const Services& services_;
    const Settings& settings_;
    RestInfer infer_;
};

}  // namespace lepton::protocol
