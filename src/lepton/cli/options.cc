#include "lepton/cli/options.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

namespace lepton::cli {
namespace {

constexpr const char* kServeExamples = R"(
Examples:
  lepton serve service/                        one model, or a repository of many
  lepton serve a/ b/ --port 0 --ready-file r   several; a free port, told in the file r
  lepton serve service/ --unix-socket /run/l   answers on a Unix domain socket as well
  lepton serve service/ --host 0.0.0.0         reached from other machines, by everybody there
  lepton serve service/ --busy-poll 50us       spins 50 us before it sleeps: lower latency,
                                               more CPU time
  LEPTON_PORT=9000 lepton serve service/       every option has an environment variable

One port speaks HTTP/1.1, HTTP/2 and gRPC (KServe v2). Options come from flags, then from the
environment, then from the file of --config.)";

// The largest number before a unit: 11 days in seconds.
constexpr double kLargestNumber = 1e6;
constexpr std::array<std::pair<std::string_view, std::int64_t>, 3> kUnits{
    {{"us", 1}, {"ms", 1000}, {"s", 1'000'000}}};

// Accepts "50us", "2ms", "1.5s"; zero needs no unit.
std::optional<std::chrono::microseconds> parse_duration(std::string_view text) {
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || !(number >= 0) || number > kLargestNumber) return std::nullopt;
    const std::string_view unit(parsed.ptr, text.data() + text.size());
    if (unit.empty() && number == 0) return std::chrono::microseconds(0);
    for (const auto& [name, micros] : kUnits) {
        if (unit == name) {
            return std::chrono::microseconds(
                static_cast<std::int64_t>(number * static_cast<double>(micros)));
        }
    }
    return std::nullopt;
}

std::string to_text(std::chrono::microseconds duration) {
    for (std::size_t i = kUnits.size(); i-- > 0;) {
        const auto& [name, micros] = kUnits[i];
        if (duration.count() > 0 && duration.count() % micros == 0) {
            return std::to_string(duration.count() / micros) + std::string(name);
        }
    }
    return "0";
}

template <class Duration>
CLI::Option* add_duration(CLI::App& app, const char* flag, Duration& value, const char* help) {
    return app
        .add_option_function<std::string>(
            flag,
            [&value, flag](const std::string& text) {
                const auto duration = parse_duration(text);
                if (!duration) {
                    throw CLI::ValidationError(
                        flag, "\"" + text + "\" is not a time; write 50us, 2ms or 1.5s");
                }
                value = std::chrono::duration_cast<Duration>(*duration);
            },
            help)
        ->type_name("TIME")
        ->default_str(to_text(value));
}

// Accepts "127.0.0.1:8003", "[::1]:8003" and "unix:/run/lepton-admin"; returns nothing for "off".
std::optional<net::AdminAddress> parse_admin_address(const std::string& text) {
    constexpr std::string_view kUnix = "unix:";
    if (text == "off") return std::nullopt;
    net::AdminAddress address{.or_any_port = false};
    if (text.starts_with(kUnix) && text.size() > kUnix.size()) {
        address.unix_socket = text.substr(kUnix.size());
        return address;
    }
    const std::size_t colon = text.rfind(':');
    const char* end = text.data() + text.size();
    if (colon != std::string::npos && colon > 0) {
        const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, address.port);
        address.host = text.substr(0, colon);
        const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
        if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
        const bool is_host = bracketed || address.host.find(':') == std::string::npos;
        if (error == std::errc() && rest == end && is_host) return address;
    }
    throw CLI::ValidationError("--admin-address",
                               "\"" + text +
                                   "\" is not an address; write 127.0.0.1:8003, [::1]:8003, "
                                   "unix:/path or off");
}

std::map<std::string, server::TuningTime> tuning_times() {
    return {{"later", server::TuningTime::kLater},
            {"first", server::TuningTime::kFirst},
            {"never", server::TuningTime::kNever}};
}

void add_serve_options(CLI::App& serve, server::Config& config) {
    serve.add_option("dirs", config.models, "Folders of models, or of repositories of models")
        ->type_name("DIR")
        ->envname("LEPTON_DIRS");
    serve
        .add_option("--host",
                    config.host,
                    "Address to listen on; 0.0.0.0 or :: for every one of this machine")
        ->capture_default_str();
    serve.add_option("--port", config.port, "Port to listen on; 0 takes a free one")
        ->capture_default_str();
    serve
        .add_option("--unix-socket", config.unix_socket, "Unix domain socket to listen on as well")
        ->type_name("PATH");
    serve
        .add_option_function<std::string>(
            "--admin-address",
            [&config](const std::string& text) { config.admin = parse_admin_address(text); },
            "Where changes, and what tells of other clients' requests, are asked for: host:port, "
            "unix:/path, or off; a default port that is taken is replaced by a free one")
        ->type_name("ADDRESS")
        ->default_str("127.0.0.1:8003");
    serve
        .add_option("--admin-hosts",
                    config.admin_hosts,
                    "Names by which clients may call it, besides localhost and its address")
        ->delimiter(',')
        ->type_name("NAME,NAME...");
    serve
        .add_option("--reactors",
                    config.reactors,
                    "Threads that read, run small models and write; 0 chooses by cores")
        ->check(CLI::Range(0, 256))
        ->type_name("N")
        ->capture_default_str();
    add_duration(
        serve, "--busy-poll", config.busy_poll, "Spin this long before sleeping, as 50us or 2ms");
    serve
        .add_option("--max-body-bytes",
                    config.limits.max_body_bytes,
                    "Largest request body, also after decompression")
        ->transform(CLI::AsSizeValue(false))
        ->type_name("BYTES")
        ->capture_default_str();
    serve
        .add_option("--max-answer-bytes",
                    config.max_answer_bytes,
                    "Largest answer, as the bytes of its tensors; 0 sets no bound")
        ->transform(CLI::AsSizeValue(false))
        ->type_name("BYTES")
        ->capture_default_str();
    serve
        .add_option("--memory-budget",
                    config.memory_budget,
                    "Of all messages and answers together; 0: half of the memory of the machine, "
                    "or of the container")
        ->transform(CLI::AsSizeValue(false))
        ->type_name("BYTES")
        ->capture_default_str();
    serve
        .add_option("--max-connections",
                    config.limits.max_connections,
                    "For one more, the connection that waits for its client for longest is ended")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    serve
        .add_option("--max-connections-per-peer",
                    config.limits.max_connections_per_peer,
                    "The same for the connections of one address; 0: no bound of its own")
        ->capture_default_str();
    add_duration(serve,
                 "--idle-timeout",
                 config.limits.idle_timeout,
                 "Longest time that a connection may be without a request");
    add_duration(serve,
                 "--head-timeout",
                 config.limits.head_timeout,
                 "Longest wait for the rest of a request's head");
    add_duration(serve,
                 "--body-idle-timeout",
                 config.limits.body_idle_timeout,
                 "Longest silence in the middle of a request's body");
    add_duration(serve,
                 "--request-timeout",
                 config.limits.request_timeout,
                 "Longest time from a request's first byte to its last");
    add_duration(serve,
                 "--write-idle-timeout",
                 config.limits.write_idle_timeout,
                 "Longest time in which a client takes nothing of its answer");
    serve
        .add_option("--min-data-rate",
                    config.limits.min_data_rate,
                    "Bytes a second; over the whole of an idle timeout, fewer count as nothing")
        ->type_name("BYTES")
        ->capture_default_str();
    serve.add_option("--cache-dir", config.cache_dir, "Keep compiled models in this folder")
        ->type_name("DIR");
    serve
        .add_option("--engines-dir",
                    config.engines_dir,
                    "Folder of the engine plug-ins (default: beside the binary)")
        ->type_name("DIR");
    serve
        .add_option("--strict-readiness",
                    config.strict_readiness,
                    "Whether a model that failed at start keeps the server from being ready")
        ->type_name("BOOL")
        ->default_str("true");
    serve
        .add_option("--tuning",
                    config.tuning,
                    "When models that are new on this machine are measured: later (while they "
                    "serve), first (before they are ready), never")
        ->transform(CLI::Transformer(tuning_times(), CLI::ignore_case))
        ->type_name("WHEN")
        ->default_str("later");
    add_duration(serve,
                 "--probe-timeout",
                 config.probe_timeout,
                 "Longest step of trying a new model, such as one run");
    serve
        .add_option(
            "--ready-file",
            config.ready_file,
            "Written as JSON (host, port, pid, models, failed, admin_url) once the server is "
            "ready")
        ->type_name("FILE");
    add_duration(serve,
                 "--drain-timeout",
                 config.drain_timeout,
                 "Longest wait for running requests at the end");
    serve
        .add_option("--otlp-endpoint",
                    config.otlp_endpoint,
                    "Send traces to this OpenTelemetry collector, as http://127.0.0.1:4318")
        ->type_name("URL");
    serve.add_flag("--triton-errors",
                   config.triton_errors,
                   "Answer queue-full and expired with Triton's codes and texts");
    serve.add_option("--log-level", config.log_level, "How much to log, on stderr")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
        ->capture_default_str();
    serve
        .add_option(
            "--log-format", config.log_format, "Lines of key=value, or a JSON object for each")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    serve.add_option("--config", "Read options from this TOML file")->check(CLI::ExistingFile);
    serve.allow_config_extras(CLI::config_extras_mode::error);
}

// Reads from the file what flags and environment did not set. CLI11's own set_config() would let
// the file win over the environment, and does not work for a subcommand.
void read_file(CLI::App& serve) {
    const CLI::Option* config = serve.get_option("--config");
    if (config->count() == 0) return;
    std::ifstream file(config->as<std::string>());
    serve.parse_from_stream(file);
}

// Names the variables: LEPTON_READY_FILE for --ready-file.
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
        for (const std::string& part : option->results()) {
            if (!value.empty()) value += ',';
            value += part;
        }
        if (value.empty()) value = option->get_default_str();
        if (value.empty()) continue;
        if (!summary.empty()) summary += ' ';
        summary.append(name).append("=").append(value);
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
            throw CLI::ValidationError(
                "dirs", "name at least one folder of models, for example: lepton serve service/");
        }
    } catch (const CLI::ParseError& error) {
        return {std::nullopt, app.exit(error) == 0 ? 0 : 2};
    }
    options.command = version->parsed() ? Command::kVersion : Command::kServe;
    options.summary = summary_of(*serve);
    return {std::move(options), 0};
}

}  // namespace lepton::cli
