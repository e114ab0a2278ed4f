#pragma once

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/core/model_control.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/admin/access.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/http_target.h"
#include "lepton/protocol/kserve/rest_infer.h"
#include "lepton/protocol/router.h"

namespace lepton::protocol {

// The HTTP half of the Router. Thread-safe.
class RestRoutes {
public:
    RestRoutes(InferService& service,
               const ModelCatalog& catalog,
               memory::BufferPool& pool,
               Router::Options options);

    void handle(net::Exchange& exchange) noexcept;

private:
    // NOLINTBEGIN(cppcoreguidelines-virtual-class-destructor): they are final, unseen from here.
    struct AnsweredChange;
    struct PendingChange;
    // NOLINTEND(cppcoreguidelines-virtual-class-destructor)

    Result<> dispatch(net::Exchange& exchange);
    Result<> describe(net::Exchange& exchange, const HttpTarget& target);
    void compress_if_asked(net::Exchange& exchange);
    Result<ModelControl*> model_control() const;
    void refuse(net::Exchange& exchange, const Error& error);
    Result<ConfigChange> read_change(net::Message& message, const HttpTarget& target) const;
    Result<> start_change(net::Exchange& exchange, const HttpTarget& target);

    const ModelCatalog& catalog_;
    memory::BufferPool& pool_;
    const Router::Options options_;
    const ErrorStyle style_;
    const AccessRules access_;
    RestInfer infer_;
};

}  // namespace lepton::protocol
