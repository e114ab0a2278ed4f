#pragma once

#include <array>

#include "lepton/core/model_control.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/rest_route.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

// How models are run, told and changed, and the requests worth a look. Thread-safe.
class AdminRest final : public RestFamily<AdminRest> {
public:
    AdminRest(const Services& services, const Settings& settings);

private:
    friend RestFamily;
    // NOLINTBEGIN(cppcoreguidelines-virtual-class-destructor): they are final, unseen from here.
    struct AnsweredChange;
    struct PendingChange;
    // NOLINTEND(cppcoreguidelines-virtual-class-destructor)

    Result<> config(net::Exchange& exchange, const PathVariables& path);
    Result<> change_config(net::Exchange& exchange, const PathVariables& path);
    Result<> slow(net::Exchange& exchange, const PathVariables& path);

    Result<ModelControl*> model_control() const;
    Result<ConfigChange> read_change(net::Message& message, const PathVariables& path) const;

    static const std::array<RestRoute<AdminRest>, 3> kRoutes;

    const Services& services_;
    const Settings& settings_;
};

}  // namespace lepton::protocol
