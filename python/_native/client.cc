#include "lepton/client.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "backend.h"

namespace lepton::python {
namespace {

// Whole units: the client counts in them.
template <class Duration>
Duration to_duration(double seconds) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// Asked on the thread that a signal has interrupted: runs the handlers of Python.
bool interrupted() {
    const nb::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}

void bind_options(nb::module_& module) {
    using std::chrono::microseconds;
    using std::chrono::milliseconds;
    nb::class_<RetryOptions>(
        module,
        "RetryOptions",
        "When a failed attempt is made again: where the connection was refused or cut, or the\n"
        "server says that it did not run the request. `budget_ratio` bounds the retries per call,\n"
        "averaged. Times are in seconds.")
        .def(
            "__init__",
            [](RetryOptions* self,
               int max_attempts,
               double budget_ratio,
               int budget_burst,
               double backoff,
               double max_backoff) {
                new (self) RetryOptions{.max_attempts = max_attempts,
                                        .budget_ratio = budget_ratio,
                                        .budget_burst = budget_burst,
                                        .backoff = to_duration<milliseconds>(backoff),
                                        .max_backoff = to_duration<milliseconds>(max_backoff)};
            },
            nb::kw_only(),
            nb::arg("max_attempts") = 3,
            nb::arg("budget_ratio") = 0.2,
            nb::arg("budget_burst") = 10,
            nb::arg("backoff") = 0.01,
            nb::arg("max_backoff") = 1.0);
    nb::class_<HedgeOptions>(
        module,
        "HedgeOptions",
        "A second request, to another endpoint where there is one, when the first takes longer\n"
        "than `quantile` of those before did, and `min_delay` seconds at least.")
        .def(
            "__init__",
            [](HedgeOptions* self, double quantile, double min_delay, double budget_ratio) {
                new (self) HedgeOptions{.enabled = true,
                                        .quantile = quantile,
                                        .min_delay = to_duration<microseconds>(min_delay),
                                        .budget_ratio = budget_ratio};
            },
            nb::kw_only(),
            nb::arg("quantile") = 0.95,
            nb::arg("min_delay") = 0.001,
            nb::arg("budget_ratio") = 0.1);
    nb::class_<TlsOptions>(
        module,
        "TlsOptions",
        "For https:// and grpcs://. Files are PEM; `ca_file` is the system's where it is empty.")
        .def(
            "__init__",
            [](TlsOptions* self,
               std::string ca_file,
               std::string certificate_file,
               std::string key_file,
               std::string server_name,
               bool verify) {
                new (self) TlsOptions{.ca_file = std::move(ca_file),
                                      .certificate_file = std::move(certificate_file),
                                      .key_file = std::move(key_file),
                                      .server_name = std::move(server_name),
                                      .verify = verify};
            },
            nb::kw_only(),
            nb::arg("ca_file") = "",
            nb::arg("certificate_file") = "",
            nb::arg("key_file") = "",
            nb::arg("server_name") = "",
            nb::arg("verify") = true);
}

void open(Backend<Client>* self,
          std::vector<std::string> endpoints,
          double timeout,
          double connect_timeout,
          std::size_t max_connections,
          const RetryOptions& retry,
          const HedgeOptions* hedge,
          const TlsOptions& tls) {
    ClientOptions options;
    options.endpoints = std::move(endpoints);
    options.timeout = to_duration<std::chrono::milliseconds>(timeout);
    options.connect_timeout = to_duration<std::chrono::milliseconds>(connect_timeout);
    options.max_connections_per_endpoint = max_connections;
    options.retry = retry;
    if (hedge != nullptr) options.hedge = *hedge;
    options.tls = tls;
    options.interrupted = interrupted;
    new (self) Backend<Client>(value_or_raise(Client::open(std::move(options))), "the client");
}

nb::dict statistics(Backend<Client>& self) {
    const ClientStatistics counted =
        self.run([](Client& client) { return Result<ClientStatistics>(client.statistics()); });
    nb::dict statistics;
    statistics["calls"] = counted.calls;
    statistics["failures"] = counted.failures;
    statistics["retries"] = counted.retries;
    statistics["hedges"] = counted.hedges;
    statistics["hedges_won"] = counted.hedges_won;
    statistics["connections_opened"] = counted.connections_opened;
    return statistics;
}

}  // namespace

void bind_client(nb::module_& module) {
    bind_options(module);
    nb::class_<CallHandle>(module, "Call", "A call that was started.")
        .def("cancel", &CallHandle::cancel, "Ends it with an error, unless it has ended.");
    using Self = Backend<Client>;
    nb::class_<Self> bound(module, "Client", "Calls models on servers; see lepton.Client.");
    bound
        .def("__init__",
             open,
             nb::arg("endpoints"),
             nb::arg("timeout"),
             nb::arg("connect_timeout"),
             nb::arg("max_connections"),
             nb::arg("retry"),
             nb::arg("hedge").none(),
             nb::arg("tls"))
        .def("models", [](Self& self) { return self.run([](Client& c) { return c.models(); }); })
        .def("live", [](Self& self) { return self.run([](Client& c) { return c.server_live(); }); })
        .def("ready",
             [](Self& self) { return self.run([](Client& c) { return c.server_ready(); }); })
        .def("model_ready",
             [](Self& self, std::string_view name, std::string_view version) {
                 return self.run([&](Client& c) { return c.model_ready(name, version); });
             })
        .def("statistics", statistics, nb::sig("def statistics(self) -> dict[str, int]"));
    bind_backend<Client>(bound);
}

}  // namespace lepton::python
