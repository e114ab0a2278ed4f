#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "answer.h"
#include "call_options.h"
#include "completions.h"
#include "errors.h"
#include "fork_guard.h"
#include "objects.h"
#include "signature.h"

namespace lepton::python {

// A lepton::Client or lepton::Server as Python has it: may be closed while threads are in it, and
// is of no use in a forked process. Called with the GIL, which is not held while it works.
template <class T>
class Backend {
public:
    // `what`: "the client".
    Backend(T backend, const char* what)
        : backend_(std::make_shared<T>(std::move(backend))), what_(what) {}
    ~Backend() { close(); }
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    // Ends when those have ended who are in it.
    void close() {
        std::shared_ptr<T> backend = std::move(backend_);
        if (backend == nullptr) return;
        if (guard_.forked()) {
            // Its threads stayed with the parent: nobody would answer when it stops them.
            new std::shared_ptr<T>(std::move(backend));
            return;
        }
        const nb::gil_scoped_release released;
        if constexpr (requires { backend->close(); }) backend->close();
        backend.reset();
    }

    // function(backend) without the GIL. Raises what comes out as an error.
    template <class Function>
    auto run(Function function) {
        std::shared_ptr<T> backend = get();
        using Outcome = decltype(function(*backend));
        Outcome outcome = [&]() -> Outcome {
            const nb::gil_scoped_release released;
            Outcome result = function(*backend);
            backend.reset();  // The last one out closes, for which it may have to wait.
            return result;
        }();
        return value_or_raise(std::move(outcome));
    }

    Answer infer(const Signature& model,
                 nb::handle inputs,
                 double timeout,
                 std::uint32_t priority,
                 nb::handle outputs,
                 std::string_view id,
                 nb::handle parameters) {
        CallOptions options(timeout, priority, outputs, id, parameters);
        Inputs tensors(model, inputs);
        InferRequest& request = options.request(model, tensors);
        InferResult result;
        run([&](T& backend) { return backend.infer(request, result); });
        return {std::move(result), model};
    }

    // What infer_async() returns: a handle to cancel the call by, or None.
    nb::object start(nb::object model,
                     nb::handle inputs,
                     double timeout,
                     std::uint32_t priority,
                     nb::handle outputs,
                     std::string_view id,
                     nb::handle parameters,
                     const std::shared_ptr<Completions>& completions,
                     nb::object token) {
        std::shared_ptr<T> backend = get();
        auto pending =
            std::make_unique<Pending>(std::move(model),
                                      inputs,
                                      CallOptions(timeout, priority, outputs, id, parameters),
                                      std::move(token));
        const InferRequest& request = pending->request();
        Pending* const started = pending.release();
        auto ended = [completions, started](Result<InferResult> outcome) {
            started->outcome = std::move(outcome);
            completions->push(std::unique_ptr<Pending>(started));
        };
        using Handle = decltype(backend->infer_async(request, ended));
        // The callback, and what waits for the client's locks, may want the GIL meanwhile; and so
        // may those that the last one out has to wait for.
        if constexpr (std::is_void_v<Handle>) {
            const nb::gil_scoped_release released;
            backend->infer_async(request, std::move(ended));
            backend.reset();
            return nb::none();
        } else {
            const Handle handle = [&] {
                const nb::gil_scoped_release released;
                Handle started = backend->infer_async(request, std::move(ended));
                backend.reset();
                return started;
            }();
            return nb::cast(handle);
        }
    }

    std::unique_ptr<Signature> model(std::string_view name, std::string_view version) {
        return std::make_unique<Signature>(
            run([&](T& backend) { return backend.model(name, version); }), std::string(version));
    }

private:
    std::shared_ptr<T> get() {
        guard_.check(what_);
        if (backend_ == nullptr) {
            raise({ErrorCode::kUnavailable, std::string(what_) + " is closed; make another one"});
        }
        return backend_;
    }

    ForkGuard guard_;
    std::shared_ptr<T> backend_;  // Null once it is closed.
    const char* what_;
};

// The methods that clients and servers have in common.
template <class T, class Class>
void bind_backend(Class& bound) {
    using Self = Backend<T>;
    bound
        .def("infer",
             &Self::infer,
             nb::arg("model"),
             nb::arg("inputs").none(),
             nb::arg("timeout"),
             nb::arg("priority"),
             nb::arg("outputs").none(),
             nb::arg("id"),
             nb::arg("parameters").none(),
             nb::sig("def infer(self, model: Model, inputs: typing.Any, timeout: float, priority: "
                     "int, outputs: typing.Sequence[str] | None, id: str, parameters: "
                     "typing.Mapping[str, bool | int | float | str] | None) -> Answer"),
             "One inference, while other threads of Python run.")
        .def(
            "inference",
            [](Self& self, const Signature& model, nb::handle inputs, double timeout) {
                return self.infer(model, inputs, timeout, 0, nb::none(), {}, nb::none()).value();
            },
            nb::arg("model"),
            nb::arg("inputs").none(),
            nb::arg("timeout"),
            nb::sig("def inference(self, model: Model, inputs: typing.Any, timeout: float) -> "
                    "typing.Any"),
            "The same; the array where there is one output, else a dict of them.")
        .def("start",
             &Self::start,
             nb::arg("model"),
             nb::arg("inputs").none(),
             nb::arg("timeout"),
             nb::arg("priority"),
             nb::arg("outputs").none(),
             nb::arg("id"),
             nb::arg("parameters").none(),
             nb::arg("completions"),
             nb::arg("token").none(),
             nb::sig("def start(self, model: Model, inputs: typing.Any, timeout: float, priority: "
                     "int, outputs: typing.Sequence[str] | None, id: str, parameters: "
                     "typing.Mapping[str, bool | int | float | str] | None, completions: "
                     "Completions, token: typing.Any) -> Call | None"),
             "Begins one inference, whose end is put into `completions` together with `token`.")
        .def("model", &Self::model, nb::arg("name"), nb::arg("version") = "")
        .def("close", &Self::close, "Waits for the calls that are in it. May be repeated.");
}

void bind_client(nb::module_& module);
void bind_server(nb::module_& module);

}  // namespace lepton::python
