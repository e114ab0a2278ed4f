#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "call_options.h"
#include "fork_guard.h"
#include "inputs.h"
#include "lepton/core/sync.h"
#include "lepton/inference.h"
#include "objects.h"
#include "signature.h"

namespace lepton::python {

// A call that was started without waiting for it: what it must keep alive, and what came of it.
// Made and destroyed with the GIL.
struct Pending {
    Pending(nb::object of, nb::handle values, CallOptions chosen, nb::object token_of_caller)
        : model(std::move(of)),
          inputs(nb::cast<const Signature&>(model), values),
          options(std::move(chosen)),
          token(std::move(token_of_caller)) {}

    [[nodiscard]] const InferRequest& request() {
        return options.request(nb::cast<const Signature&>(model), inputs);
    }

    nb::object model;  // A Signature, whose names the inputs look at.
    Inputs inputs;
    CallOptions options;
    nb::object token;
    Result<InferResult> outcome;
};

// Calls that have ended, on their way from the thread that ended them to Python. That thread takes
// no GIL: it makes a file descriptor readable, once for all that end until they are collected,
// which an event loop watches or wait() waits for. push() is thread-safe; the rest needs the GIL.
class Completions {
public:
    Completions();
    ~Completions();
    Completions(const Completions&) = delete;
    Completions& operator=(const Completions&) = delete;

    void push(std::unique_ptr<Pending> pending);

    // [(token, answer or exception)] of those that have ended.
    [[nodiscard]] nb::list take();
    // Until one has ended or a signal's handler has raised.
    void wait() const;
    [[nodiscard]] int fileno() const { return event_; }

private:
    ForkGuard guard_;
    int event_;
    Mutex mutex_;
    std::vector<std::unique_ptr<Pending>> ended_ LEPTON_GUARDED_BY(mutex_);
};

void bind_completions(nb::module_& module);

}  // namespace lepton::python
