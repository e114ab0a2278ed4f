#pragma once

#include "lepton/core/error.h"
#include "lepton/core/infer_call.h"
#include "lepton/net/message.h"
#include "lepton/protocol/infer_fields.h"

namespace lepton::protocol {

// What every inference has around it, whatever its protocol: the stations of its timeline, its
// trace, and who looks on.

// Before anything of it is decoded. `observer` may be null.
void begin_infer(net::Exchange& exchange, const InferFields& fields, CallObserver* observer);

// When its answer, or the error that the service gave, is in exchange.reply: says there where the
// time went, and in which trace.
void end_infer(net::Exchange& exchange);

// Instead, when it could not be decoded and the error is in exchange.reply. Does nothing to an
// exchange that was not begun.
void end_refused_infer(net::Exchange& exchange, const Error& error);

}  // namespace lepton::protocol
