#pragma once

#include "lepton/core/error.h"
#include "lepton/core/infer_call.h"
#include "lepton/core/model_catalog.h"
#include "lepton/net/message.h"
#include "lepton/protocol/infer_fields.h"
#include "lepton/protocol/router.h"

namespace lepton::protocol {

// What every inference has around it, whatever its protocol: the stations of its timeline, its
// trace, and who looks on.

// Before anything of it is decoded. `observer` may be null.
void begin_infer(net::Exchange& exchange, const InferFields& fields, CallObserver* observer);

// When its answer, or the error that the service gave, is in exchange.reply: says there where the
// time went, and in which trace.
void end_infer(net::Exchange& exchange);

// What an inference that could not be decoded is told: where its model is unknown, that, whatever
// else is wrong. Those of a known model are reported to `options`.
Error refuse_infer(const net::Exchange& exchange,
                   Error error,
                   const ModelCatalog& catalog,
                   const Router::Options& options);

// Instead, when it could not be decoded and the error is in exchange.reply. Does nothing to an
// exchange that was not begun.
void end_refused_infer(net::Exchange& exchange, const Error& error);

}  // namespace lepton::protocol
