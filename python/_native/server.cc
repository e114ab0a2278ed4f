#include "lepton/server.h"

#include <string>
#include <utility>
#include <vector>

#include "backend.h"

namespace lepton::python {
namespace {

void open(Backend<Server>* self,
          std::vector<std::string> services,
          int cores,
          std::string cache_dir,
          std::string engines_dir,
          std::string log_level,
          bool strict_readiness) {
    const ServerOptions options{.services = std::move(services),
                                .cores = cores,
                                .cache_dir = std::move(cache_dir),
                                .engines_dir = std::move(engines_dir),
                                .strict_readiness = strict_readiness,
                                .log_level = std::move(log_level)};
    Result<Server> server = [&] {
        const nb::gil_scoped_release released;
        return Server::open(options);
    }();
    new (self) Backend<Server>(value_or_raise(std::move(server)), "the server");
}

}  // namespace

void bind_server(nb::module_& module) {
    using Self = Backend<Server>;
    nb::class_<Self> bound(module, "Server", "Runs models in this process; see lepton.Server.");
    bound
        .def("__init__",
             open,
             nb::arg("services"),
             nb::arg("cores"),
             nb::arg("cache_dir"),
             nb::arg("engines_dir"),
             nb::arg("log_level"),
             nb::arg("strict_readiness"))
        .def("models",
             [](Self& self) {
                 return self.run(
                     [](Server& s) { return Result<std::vector<std::string>>(s.models()); });
             })
        .def("metrics", [](Self& self) { return self.run([](Server& s) { return s.metrics(); }); })
        .def(
            "slow_requests",
            [](Self& self, std::string_view model, std::size_t limit) {
                return self.run([&](Server& s) { return s.slow_requests(model, limit); });
            },
            nb::arg("model"),
            nb::arg("limit"))
        .def("load",
             [](Self& self, std::string_view name) {
                 self.run([&](Server& s) { return s.load(name); });
             })
        .def("unload", [](Self& self, std::string_view name) {
            self.run([&](Server& s) { return s.unload(name); });
        });
    bind_backend<Server>(bound);
}

}  // namespace lepton::python
