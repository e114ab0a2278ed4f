#include "lepton/cli/options.h"

#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace lepton::cli {
namespace {

constexpr const char* kServeExamples = R"(
Examples:
  lepton serve service/                        one model, or a repository of many
  lepton serve a/ b/ --port 0 --ready-file r   several; a free port, told in the file r
  lepton serve service/ --unix-socket /run/l   answers on a Unix domain socket as well
  lepton serve service/ --busy-poll 50us       spins 50 us before it sleeps: lower latency,
                                               more CPU time
  LEPTON_PORT=9000 lepton serve service/       every option has an environment variable

One port speaks HTTP/1.1, HTTP/2 and gRPC (KServe v2). Options come from flags, then from the
environment, then from the file of --config.)";

// What is needed of CLI11 to take durations as people write them.
template <class Duration>
CLI::Option* add_duration(CLI::App& app, const char* flag, Duration& value, const char* help) {
    static const std::map<std::string, double> kUnits{
        {"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}};
    return app
        .add_option_function<double>(
            flag,
            [&value](double seconds) {
                value = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
            },
            help)
        ->transform(CLI::AsNumberWithUnit(kUnits, CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"))
        ->default_str(std::to_string(value.count()) +
                      (std::is_same_v<Duration, std::chrono::microseconds> ? "us" : "ms"));
}

void add_serve_options(CLI::App& serve, server::Config& config) {
    serve.add_option("dirs", config.models, "Folders of models, or of repositories of models")
        ->type_name("DIR")
        ->envname("LEPTON_DIRS");
    serve.add_option("--host", config.host, "Address to listen on")->capture_default_str();
    serve.add_option("--port", config.port, "Port to listen on; 0 takes a free one")
        ->capture_default_str();
    serve.add_option("--unix-socket", config.unix_socket, "Unix domain socket to listen on as well");
    serve
        .add_option("--reactors", config.reactors,
                    "Threads that read, run small models and write; 0 chooses by cores")
        ->check(CLI::Range(0, 256))
        ->capture_default_str();
    add_duration(serve, "--busy-poll", config.busy_poll, "Spin this long before sleeping");
    serve
        .add_option("--max-body-bytes", config.limits.max_body_bytes,
                    "Largest request body, also after decompression")
        ->transform(CLI::AsSizeValue(false))
        ->capture_default_str();
    serve
        .add_option("--max-connections", config.limits.max_connections,
                    "Connections beyond this are closed at once")
        ->capture_default_str();
    add_duration(serve, "--head-timeout", config.limits.head_timeout,
                 "Longest wait for the rest of a request's head");
    add_duration(serve, "--body-idle-timeout", config.limits.body_idle_timeout,
                 "Longest silence in the middle of a request's body");
    serve.add_option("--cache-dir", config.cache_dir, "Keep compiled models in this folder");
    serve.add_option("--engines-dir", config.engines_dir,
                     "Folder of the engine plug-ins (default: beside the binary)");
    serve.add_option("--ready-file", config.ready_file,
                     "Written as JSON (host, port, pid, models) once every model is ready");
    add_duration(serve, "--drain-timeout", config.drain_timeout,
                 "Longest wait for running requests at the end");
    serve.add_flag("--triton-errors", config.triton_errors,
                   "Answer queue-full and expired with Triton's codes and texts");
    serve.add_option("--log-level", config.log_level, "How much to log, on stderr")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
        ->capture_default_str();
    serve.add_option("--config", "Read options from this TOML file")->check(CLI::ExistingFile);
    serve.allow_config_extras(CLI::config_extras_mode::error);
}

// What flags and environment have left open. CLI11's own set_config() would let the file win over the
// environment, and does not work for a subcommand.
void read_file(CLI::App& serve) {
    const CLI::Option* config = serve.get_option("--config");
    if (config->count() == 0) return;
    std::ifstream file(config->as<std::string>());
    serve.parse_from_stream(file);
}

// LEPTON_READY_FILE for --ready-file.
void name_environment(CLI::App& app) {
    for (CLI::Option* option : app.get_options()) {
        if (option->get_lnames().empty() || !option->get_envname().empty()) continue;
        std::string name = option->get_lnames().front();
        if (name == "help") continue;
        for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
        option->envname("LEPTON_" + name);
    }
}

std::string summary_of(const CLI::App& app) {
    std::string summary;
    for (const CLI::Option* option : app.get_options()) {
        const std::string name = option->get_single_name();
        if (name == "help") continue;
        std::string value;
        for (const std::string& part : option->results()) value += (value.empty() ? "" : ",") + part;
        if (value.empty()) value = option->get_default_str();
        if (value.empty()) continue;
        summary += (summary.empty() ? "" : " ") + name + "=" + value;
    }
    return summary;
}

}  // namespace

Parsed parse_options(int argc, char** argv) {
    Options options;
    CLI::App app("Lepton: real-time AI inference server", "lepton");
    app.require_subcommand(1);
    app.set_version_flag("--version", LEPTON_VERSION);
    CLI::App* serve = app.add_subcommand("serve", "Serve models over HTTP and gRPC");
    add_serve_options(*serve, options.config);
    serve->footer(kServeExamples);
    name_environment(*serve);
    const CLI::App* version = app.add_subcommand("version", "Print versions and engines");
    try {
        app.parse(argc, argv);
        if (serve->parsed()) read_file(*serve);
        if (serve->parsed() && options.config.models.empty()) {
            throw CLI::ValidationError("dirs", "name at least one folder of models, for example: lepton serve service/");
        }
    } catch (const CLI::ParseError& error) {
        return {std::nullopt, app.exit(error) == 0 ? 0 : 2};
    }
    options.command = version->parsed() ? Command::kVersion : Command::kServe;
    options.summary = summary_of(*serve);
    return {std::move(options), 0};
}

}  // namespace lepton::cli
