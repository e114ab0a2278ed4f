// lepton-client-load: sends requests through lepton::Client, one blocking call after the other, and
// prints the same JSON as lepton-load does for a bare socket loop.

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "closed_loop.h"
#include "lepton/client.h"
#include "question.h"
#include "socket.h"
#include "window.h"

namespace lepton::bench {
namespace {

struct Arguments {
    std::string url;
    std::string model;
    std::vector<std::string> inputs;
    std::size_t output_bytes = 0;
    double warmup_seconds = 0.5;
    double seconds = 2;
    int cpu = -1;
    LoadOptions load;
};

void add_options(CLI::App& app, Arguments& arguments) {
    app.add_option(
           "url", arguments.url, "As ClientOptions::endpoints has it: http://HOST:PORT, ...")
        ->required();
    app.add_option("--model", arguments.model, "Which model to ask")->required();
    app.add_option("--input", arguments.inputs, "NAME:DATATYPE:2x3x4, once per input")->required();
    app.add_option("--output-bytes",
                   arguments.output_bytes,
                   "Size of all outputs of an answer, to be checked");
    app.add_option("--warmup", arguments.warmup_seconds, "Seconds that do not count")
        ->capture_default_str();
    app.add_option("--seconds", arguments.seconds, "Seconds that count")->capture_default_str();
    app.add_option("--cpu", arguments.cpu, "Stay on this processor");
    app.add_option("--own-allocations",
                   arguments.load.allocations_file,
                   "Read this program's allocations from this file (see count_allocations.cc)");
}

InferRequest to_request(const Question& question) {
    InferRequest request;
    request.model = question.model;
    for (const QuestionTensor& tensor : question.inputs) {
        Input input;
        input.name = tensor.name;
        input.dtype = *parse_data_type(tensor.datatype);  // parse_tensor() accepts no others.
        for (const std::int64_t extent : tensor.shape) input.shape.push_back(extent);
        input.data = std::as_bytes(std::span(tensor.bytes));
        request.inputs.push_back(input);
    }
    return request;
}

bool is_right(const InferResult& result, std::size_t output_bytes) {
    std::size_t bytes = 0;
    for (const Output& output : result.outputs()) bytes += output.data.size();
    return output_bytes == 0 || bytes == output_bytes;
}

LoadFigures ask_again_and_again(Client& client,
                                const Question& question,
                                const LoadOptions& options) {
    const InferRequest request = to_request(question);
    InferResult result;
    Window window(options);
    while (true) {
        const auto asked = Window::Clock::now();
        if (const Result<> answered = client.infer(request, result); !answered) {
            throw std::runtime_error(answered.error().message);
        }
        const auto heard = Window::Clock::now();
        if (!window.on_answer(asked, heard, !is_right(result, question.output_bytes))) {
            return window.take();
        }
    }
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
    Result<Client> client = Client::open(arguments.url);
    if (!client) throw std::runtime_error(client.error().message);
    const LoadFigures figures = ask_again_and_again(*client, question, arguments.load);
    const Endpoint endpoint{.host = arguments.url, .port = 0, .path = {}};
    std::puts(to_json(figures, "lepton::Client", endpoint, arguments.load).c_str());
}

}  // namespace
}  // namespace lepton::bench

int main(int argc, char** argv) {
    CLI::App app("Closed-loop load on an inference server, through lepton::Client");
    lepton::bench::Arguments arguments;
    lepton::bench::add_options(app, arguments);
    CLI11_PARSE(app, argc, argv);
    try {
        lepton::bench::run(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lepton-client-load: %s\n", error.what());
        return 1;
    }
    return 0;
}
