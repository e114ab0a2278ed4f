#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <thread>

#include <pthread.h>
#include <unistd.h>

#include "lepton/cli/options.h"
#include "lepton/engine/registry.h"
#include "lepton/observe/log.h"
#include "lepton/server/ready_file.h"
#include "lepton/server/server.h"

namespace lepton::cli {
namespace {

// Exit statuses: 0 ended as asked, 1 could not serve, 2 wrong usage.
constexpr int kCouldNotServe = 1;
constexpr int kWrongUsage = 2;

int print_version() {
    std::printf("lepton %s\n", LEPTON_VERSION);
    engine::EngineRegistry engines(engine::EngineRegistry::default_folder());
    for (const std::string& name : engines.names()) {
        const auto engine = engines.by_name(name);
        std::printf("engine %s %s\n",
                    name.c_str(),
                    engine ? (*engine)->version().c_str() : engine.error().message.c_str());
    }
    return 0;
}

// Loads in the background of the signal wait below, so that Ctrl-C works while models load.
void announce(server::Server& server, const server::Config& config) {
    const std::vector<std::string> failures = server.wait_until_loaded();
    for (const std::string& failure : failures) {
        spdlog::error("model_failed reason={}", observe::quoted(failure));
    }
    if (server.models().empty()) {
        spdlog::error("nothing_to_serve: no model of the given folders could be loaded");
        ::kill(::getpid(), SIGTERM);
        return;
    }
    if (!failures.empty()) return;
    spdlog::info(
        "ready host={} port={} models={}", config.host, server.port(), server.models().size());
    if (config.ready_file.empty()) return;
    const server::ReadyFile ready{config.host, server.port(), ::getpid(), server.models()};
    if (const auto written = write_ready_file(config.ready_file, ready); !written) {
        spdlog::error("{}", written.error().message);
    }
}

int serve(const Options& options) {
    observe::set_up_logging(options.config.log_level);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    // Before any thread exists, so that all of them leave these signals to sigwait below.
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    spdlog::info("config version={} {}", LEPTON_VERSION, options.summary);
    auto server = server::Server::start(options.config);
    if (!server) {
        spdlog::error("{}", server.error().message);
        return server.error().code == ErrorCode::kInvalidArgument ? kWrongUsage : kCouldNotServe;
    }
    int signal = 0;
    int status = 0;
    {
        const std::jthread announcer([&] { announce(**server, options.config); });
        ::sigwait(&signals, &signal);
        // The second signal ends the process at once.
        ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    }
    if ((*server)->models().empty()) status = kCouldNotServe;
    spdlog::info("stopping signal={}", signal == SIGINT ? "SIGINT" : "SIGTERM");
    (*server)->stop();
    spdlog::info("stopped");
    return status;
}

}  // namespace
}  // namespace lepton::cli

int main(int argc, char** argv) {
    try {
        const lepton::cli::Parsed parsed = lepton::cli::parse_options(argc, argv);
        if (!parsed.options) return parsed.exit_status;
        if (parsed.options->command == lepton::cli::Command::kVersion) {
            return lepton::cli::print_version();
        }
        return lepton::cli::serve(*parsed.options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lepton: %s\n", error.what());
        return lepton::cli::kCouldNotServe;
    }
}
