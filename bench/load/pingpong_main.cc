// lepton-pingpong: the cost of the network alone. A second process answers a number of bytes for a
// number of bytes; the client is the one of lepton-load. Prints JSON.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "byte_dialogue.h"
#include "closed_loop.h"
#include "echo_server.h"
#include "socket.h"

namespace lepton::bench {
namespace {

struct Arguments {
    EchoOptions echo;
    bool unix_socket = false;
    double warmup_seconds = 0.5;
    double seconds = 2;
    int server_cpu = -1;
    int client_cpu = -1;
};

void add_options(CLI::App& app, Arguments& arguments) {
    app.add_option("--request-bytes", arguments.echo.request_bytes, "Client to server")
        ->required()
        ->check(CLI::PositiveNumber);
    app.add_option("--answer-bytes", arguments.echo.answer_bytes, "Server to client")
        ->required()
        ->check(CLI::PositiveNumber);
    app.add_flag("--unix", arguments.unix_socket, "A Unix domain socket instead of TCP");
    app.add_option("--connections", arguments.echo.connections, "Requests in flight")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_flag("--spin", arguments.echo.spin, "The server never sleeps");
    app.add_option("--warmup", arguments.warmup_seconds, "Seconds that do not count")
        ->capture_default_str();
    app.add_option("--seconds", arguments.seconds, "Seconds that count")->capture_default_str();
    app.add_option("--server-cpu", arguments.server_cpu, "The server stays on this processor");
    app.add_option("--client-cpu", arguments.client_cpu, "The client stays on this processor");
}

// Ends with the client, however that ends.
int start_server(const Socket& listener, const Arguments& arguments) {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    try {
        pin_to(arguments.server_cpu);
        run_echo_server(listener, arguments.echo);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lepton-pingpong: server: %s\n", error.what());
        ::_exit(1);
    }
    ::_exit(0);
}

void run(const Arguments& arguments) {
    Endpoint endpoint{.host = "127.0.0.1", .port = 0, .path = {}};
    if (arguments.unix_socket) {
        endpoint.path = "/tmp/lepton-pingpong-" + std::to_string(::getpid()) + ".sock";
    }
    const Socket listener = listen_on(endpoint);
    const pid_t server = start_server(listener, arguments);
    if (server < 0) throw std::runtime_error("fork failed");
    pin_to(arguments.client_cpu);
    LoadOptions load;
    load.connections = arguments.echo.connections;
    load.warmup = std::chrono::nanoseconds(static_cast<long>(arguments.warmup_seconds * 1e9));
    load.duration = std::chrono::nanoseconds(static_cast<long>(arguments.seconds * 1e9));
    load.server_pid = server;
    const LoadFigures figures = run_closed_loop(
        endpoint,
        [&]() -> std::unique_ptr<Dialogue> {
            return std::make_unique<ByteDialogue>(arguments.echo.request_bytes,
                                                  arguments.echo.answer_bytes);
        },
        load);
    ::waitpid(server, nullptr, 0);
    if (!endpoint.path.empty()) ::unlink(endpoint.path.c_str());
    std::puts(to_json(figures, "ping-pong", endpoint, load).c_str());
}

}  // namespace
}  // namespace lepton::bench

int main(int argc, char** argv) {
    CLI::App app("Ping-pong of bytes between two processes, over TCP or a Unix domain socket");
    lepton::bench::Arguments arguments;
    lepton::bench::add_options(app, arguments);
    CLI11_PARSE(app, argc, argv);
    try {
        lepton::bench::run(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lepton-pingpong: %s\n", error.what());
        return 1;
    }
    return 0;
}
