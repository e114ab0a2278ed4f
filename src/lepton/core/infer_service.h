#pragma once

#include "lepton/core/infer_call.h"

namespace lepton {

// The one door between a transport and the models: takes a call whose stages so far are the
// transport's, and answers it, now or later. Errors arrive in response.error. Thread-safe.
class InferService {
public:
    virtual ~InferService() = default;
    virtual void infer(InferCall& call) = 0;
};

// Looks on at every inference of a transport, as a stage that the transport pushes behind its own
// before anything of the request is decoded. Thread-safe.
class CallObserver : public CallStage {
public:
    // The request was received; call.trace says what its sender sent.
    virtual void on_begin(InferCall& call) noexcept = 0;

protected:
    ~CallObserver() = default;
};

}  // namespace lepton
