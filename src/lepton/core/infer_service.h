#pragma once

#include "lepton/core/infer_call.h"

namespace lepton {

// The one door between a transport and the models: takes the call, and completes it exactly once,
// now or later. Errors arrive in response.error. Thread-safe.
class InferService {
public:
    virtual ~InferService() = default;
    virtual void infer(InferCall& call) = 0;

    // For a call without a loop, whose deadline nobody else watches: ends it, with
    // kDeadlineExceeded, if that is past and the call still waits for an instance. Precondition:
    // infer(call) has returned, and the transport keeps the call until this has.
    virtual void expire(InferCall& call) { static_cast<void>(call); }
};

}  // namespace lepton
