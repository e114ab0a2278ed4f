// lepton-load: keeps one request in flight on each of N connections to an inference server and
// prints the figures as JSON.

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "closed_loop.h"
#include "grpc_dialogue.h"
#include "http_dialogue.h"
#include "question.h"
#include "socket.h"

namespace lepton::bench {
namespace {

struct Arguments {
    std::string endpoint;
    std::string protocol = "http-binary";
    std::string model;
    std::vector<std::string> inputs;
    std::size_t output_bytes = 0;
    double warmup_seconds = 0.5;
    double seconds = 2;
    int cpu = -1;
    LoadOptions load;
};

std::unique_ptr<Dialogue> make_dialogue(const std::string& protocol,
                                        const Question& question,
                                        const std::string& host) {
    if (protocol == "http-binary") {
        return std::make_unique<HttpDialogue>(question, HttpBody::kBinary, host);
    }
    if (protocol == "http-json") {
        return std::make_unique<HttpDialogue>(question, HttpBody::kJson, host);
    }
    return std::make_unique<GrpcDialogue>(question, host);
}

void add_options(CLI::App& app, Arguments& arguments) {
    app.add_option("endpoint", arguments.endpoint, "ADDRESS:PORT or unix:PATH")->required();
    app.add_option("--protocol", arguments.protocol, "What to speak")
        ->check(CLI::IsMember({"http-binary", "http-json", "grpc"}))
        ->capture_default_str();
    app.add_option("--model", arguments.model, "Which model to ask")->required();
    app.add_option("--input", arguments.inputs, "NAME:DATATYPE:2x3x4, once per input")->required();
    app.add_option("--output-bytes",
                   arguments.output_bytes,
                   "Size of all outputs of an answer, to be checked");
    app.add_option("--connections", arguments.load.connections, "Requests in flight")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--warmup", arguments.warmup_seconds, "Seconds that do not count")
        ->capture_default_str();
    app.add_option("--seconds", arguments.seconds, "Seconds that count")->capture_default_str();
    app.add_option("--requests", arguments.load.requests, "Ends after so many instead");
    app.add_option("--cpu", arguments.cpu, "Stay on this processor");
    app.add_option(
        "--server-pid", arguments.load.server_pid, "Count the processor time of this process");
    app.add_option("--server-allocations",
                   arguments.load.allocations_file,
                   "Read the server's allocations from this file (see count_allocations.cc)");
}

void run(Arguments& arguments) {
    pin_to(arguments.cpu);
    const auto seconds = [](double value) {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::duration<double>(value));
    };
    arguments.load.warmup = seconds(arguments.warmup_seconds);
    arguments.load.duration = seconds(arguments.seconds);
    Question question{
        .model = arguments.model, .inputs = {}, .output_bytes = arguments.output_bytes};
    for (const std::string& input : arguments.inputs) {
        question.inputs.push_back(parse_tensor(input));
    }
    const Endpoint endpoint = parse_endpoint(arguments.endpoint);
    const std::string host = endpoint.path.empty() ? endpoint.to_string() : "localhost";
    const LoadFigures figures = run_closed_loop(
        endpoint,
        [&] { return make_dialogue(arguments.protocol, question, host); },
        arguments.load);
    std::puts(to_json(figures, arguments.protocol, endpoint, arguments.load).c_str());
}

}  // namespace
}  // namespace lepton::bench

int main(int argc, char** argv) {
    CLI::App app("Closed-loop load on an inference server, from one thread");
    lepton::bench::Arguments arguments;
    lepton::bench::add_options(app, arguments);
    CLI11_PARSE(app, argc, argv);
    try {
        lepton::bench::run(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lepton-load: %s\n", error.what());
        return 1;
    }
    return 0;
}
