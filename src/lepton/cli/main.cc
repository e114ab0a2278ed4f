#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#include "lepton/cli/options.h"
#include "lepton/engine/registry.h"
#include "lepton/observe/log.h"
#include "lepton/server/ready_file.h"
#include "lepton/server/server.h"

namespace lepton::cli {
namespace {

// Exit statuses: 0 the server ended as asked, 1 it could not serve, 2 wrong usage.
constexpr int kCouldNotServe = 1;
constexpr int kWrongUsage = 2;
// Time for what is left to do once every client has an answer.
constexpr auto kStopGrace = std::chrono::milliseconds(500);

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

// A starter that finds the file may believe it, so the file of a server that has ended is removed.
void remove_ready_file(const server::Config& config) {
    std::error_code ignored;
    if (!config.ready_file.empty()) std::filesystem::remove(config.ready_file, ignored);
}

// Whoever waits for the file would wait for ever: said at once, and not when all models are loaded.
Result<> check_ready_file(const server::Config& config) {
    if (config.ready_file.empty()) return {};
    const std::filesystem::path folder = std::filesystem::absolute(config.ready_file).parent_path();
    if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
    const int reason = errno;
    return fail(ErrorCode::kInvalidArgument,
                "cannot write the ready file " + config.ready_file.string() + ": " +
                    folder.string() + ": " + std::generic_category().message(reason));
}

// One line for a person, who has a terminal; programs read the ready file, or the log.
void greet(const server::Server& server, const server::Config& config) {
    if (::isatty(STDERR_FILENO) == 0) return;
    std::string names;
    for (const std::string& name : server.models()) {
        constexpr std::size_t kMostNames = 60;
        if (names.size() > kMostNames) {
            names += ", ...";
            break;
        }
        names += (names.empty() ? "" : ", ") + name;
    }
    const bool is_v6 = config.host.find(':') != std::string::npos;
    std::fprintf(stderr,
                 "Serving %s at http://%s%s%s:%u - Ctrl-C stops\n",
                 names.c_str(),
                 is_v6 ? "[" : "",
                 config.host.c_str(),
                 is_v6 ? "]" : "",
                 static_cast<unsigned>(server.port()));
}

Result<> tell_ready(const server::Server& server,
                    const server::Config& config,
                    const std::vector<server::Failure>& failures) {
    if (const Result<> ready = server.ready(); !ready) {
        spdlog::error("not_ready reason={}", observe::quoted(ready.error().message));
        return {};
    }
    spdlog::info("ready host={} port={} models={} failed={}",
                 config.host,
                 server.port(),
                 server.models().size(),
                 failures.size());
    greet(server, config);
    if (config.ready_file.empty()) return {};
    server::ReadyFile file{config.host, server.port(), ::getpid(), server.models(), {}};
    file.admin_url = server.admin_url();
    for (const auto& failure : failures) {
        file.failed.push_back({failure.name, failure.error.message});
    }
    return write_ready_file(config.ready_file, file);
}

struct Ending {
    std::atomic<bool> asked_for = false;
    std::atomic<int> status = 0;  // Not 0: the server ends itself.
};

void give_up(Ending& ending) {
    ending.status = kCouldNotServe;
    ::kill(::getpid(), SIGTERM);
}

// Loads in the background while the signal wait below runs, so that Ctrl-C works while models load.
void announce(server::Server& server, const server::Config& config, Ending& ending) {
    const auto failures = server.wait_until_loaded();
    if (ending.asked_for) return;
    for (const auto& failure : failures) {
        spdlog::error("model_failed reason={}", observe::quoted(server::to_text(failure)));
    }
    if (server.models().empty()) {
        spdlog::error("nothing_to_serve: no model of the given folders could be loaded");
        return give_up(ending);
    }
    if (const Result<> told = tell_ready(server, config, failures); !told) {
        spdlog::error("{}", told.error().message);
        give_up(ending);
    }
}

// Returns the signal that asked for the end. SIGHUP, from a closing terminal or an operator, does
// not: it reloads the models' folders.
int wait_for_end(const sigset_t& signals, server::Server& server) {
    while (true) {
        int signal = 0;
        ::sigwait(&signals, &signal);
        if (signal != SIGHUP) return signal;
        spdlog::info("reloading signal=SIGHUP");
        if (const Result<> reloaded = server.reload(); !reloaded) {
            spdlog::error("{}", reloaded.error().message);
        }
    }
}

// A run of an engine, or the loading of a model, cannot be cut short; nobody waits for its end.
void stop_soon(server::Server& server, int status) {
    const std::jthread watchdog([status](const std::stop_token& stopped) {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any wake;
        wake.wait_for(lock, stopped, kStopGrace, [] { return false; });
        if (stopped.stop_requested()) return;
        spdlog::warn("stopped reason=\"an engine was still running, for nobody\"");
        std::_Exit(status);
    });
    server.stop();
}

int serve(const Options& options) {
    observe::set_up_logging(options.config.log_level, options.config.log_format);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    // Done before any thread exists, so that all of them leave these signals to sigwait below.
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    spdlog::info("config version={} {}", LEPTON_VERSION, options.summary);
    remove_ready_file(options.config);
    if (const Result<> writable = check_ready_file(options.config); !writable) {
        spdlog::error("{}", writable.error().message);
        return kWrongUsage;
    }
    auto server = server::Server::start(options.config);
    if (!server) {
        spdlog::error("{}", server.error().message);
        return server.error().code == ErrorCode::kInvalidArgument ? kWrongUsage : kCouldNotServe;
    }
    int signal = 0;
    Ending ending;
    {
        const std::jthread announcer([&] { announce(**server, options.config, ending); });
        signal = wait_for_end(signals, **server);
        // A second signal ends the process at once; SIGHUP has nothing left to reload.
        sigdelset(&signals, SIGHUP);
        ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
        ending.asked_for = true;
        (*server)->cancel();
    }
    if (ending.status == 0) {
        spdlog::info("stopping signal={}", signal == SIGINT ? "SIGINT" : "SIGTERM");
    } else {
        spdlog::info("stopping");
    }
    (*server)->drain();
    remove_ready_file(options.config);
    stop_soon(**server, ending.status);
    spdlog::info("stopped");
    return ending.status;
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
