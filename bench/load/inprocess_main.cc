// lepton-inprocess: the cost of the model alone. Loads it into OpenVINO as the server does (f32,
// one stream, one thread), runs it in this process, and prints JSON.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <random>
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <openvino/openvino.hpp>

#include "allocation_counter.h"
#include "histogram.h"
#include "socket.h"

namespace lepton::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
    std::string model;
    int rows = 1;
    double warmup_seconds = 0.3;
    double seconds = 2;
    int cpu = -1;
    std::int64_t spawned_at_ns = 0;
    std::string allocations_file;
};

void add_options(CLI::App& app, Arguments& arguments) {
    app.add_option("model", arguments.model, "File of the model")->required();
    app.add_option("--rows", arguments.rows, "Rows of one run")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--warmup", arguments.warmup_seconds, "Seconds that do not count")
        ->capture_default_str();
    app.add_option("--seconds", arguments.seconds, "Seconds that count; 0: only start")
        ->capture_default_str();
    app.add_option("--cpu", arguments.cpu, "Stay on this processor");
    app.add_option("--spawned-at",
                   arguments.spawned_at_ns,
                   "Nanoseconds of CLOCK_MONOTONIC when this process was started");
    app.add_option("--allocations",
                   arguments.allocations_file,
                   "Read own allocations from this file (see count_allocations.cc)");
}

long resident_kb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
    }
    throw std::runtime_error("/proc/self/status has no VmRSS");
}

ov::InferRequest load(ov::Core& core, const Arguments& arguments) {
    const auto model = core.read_model(arguments.model);
    std::map<ov::Output<ov::Node>, ov::PartialShape> shapes;
    for (const auto& input : model->inputs()) {
        ov::PartialShape shape = input.get_partial_shape();
        shape[0] = arguments.rows;
        shapes[input] = shape;
    }
    model->reshape(shapes);
    ov::CompiledModel compiled = core.compile_model(model,
                                                    "CPU",
                                                    ov::hint::inference_precision(ov::element::f32),
                                                    ov::num_streams(1),
                                                    ov::inference_num_threads(1),
                                                    ov::hint::enable_cpu_pinning(false));
    ov::InferRequest request = compiled.create_infer_request();
    for (const auto& input : compiled.inputs()) {
        if (input.get_element_type() != ov::element::f32) {
            throw std::runtime_error("only f32 inputs are filled");
        }
        ov::Tensor tensor = request.get_tensor(input);
        std::mt19937 random(1);
        std::uniform_real_distribution<float> value(-1.0F, 1.0F);
        std::generate_n(tensor.data<float>(), tensor.get_size(), [&] { return value(random); });
    }
    return request;
}

// Runs the model for that many seconds, and at least twice.
std::chrono::nanoseconds repeat(ov::InferRequest& request, double seconds, Histogram& latency) {
    const Clock::time_point start = Clock::now();
    Clock::time_point before = start;
    do {
        request.infer();
        const Clock::time_point after = Clock::now();
        latency.record(static_cast<std::uint64_t>((after - before).count()));
        before = after;
    } while (before - start < std::chrono::duration<double>(seconds) || latency.count() < 2);
    return before - start;
}

void run(const Arguments& arguments) {
    pin_to(arguments.cpu);
    ov::Core core;
    ov::InferRequest request = load(core, arguments);
    request.infer();
    nlohmann::ordered_json json{{"what", "in-process"}, {"rows_per_run", arguments.rows}};
    if (arguments.spawned_at_ns != 0) {
        const auto now = std::chrono::nanoseconds(Clock::now().time_since_epoch());
        json["start_to_first_answer_ms"] =
            static_cast<double>(now.count() - arguments.spawned_at_ns) / 1e6;
    }
    if (arguments.seconds > 0) {
        Histogram latency;
        repeat(request, arguments.warmup_seconds, latency);
        latency.clear();
        const AllocationCounter allocations(arguments.allocations_file);
        const std::uint64_t allocations_before = allocations.value();
        const auto elapsed = repeat(request, arguments.seconds, latency);
        if (!arguments.allocations_file.empty()) {
            json["allocations_per_run"] =
                static_cast<double>(allocations.value() - allocations_before) /
                static_cast<double>(latency.count());
        }
        const double seconds = static_cast<double>(elapsed.count()) / 1e9;
        json["runs"] = latency.count();
        json["rows_rate"] = static_cast<double>(latency.count()) * arguments.rows / seconds;
        json["latency_us"] = {{"p50", static_cast<double>(latency.quantile(0.5)) / 1e3},
                              {"p99", static_cast<double>(latency.quantile(0.99)) / 1e3}};
    }
    json["resident_kb"] = resident_kb();
    std::puts(json.dump().c_str());
}

}  // namespace
}  // namespace lepton::bench

int main(int argc, char** argv) {
    CLI::App app("A model in OpenVINO, in this process");
    lepton::bench::Arguments arguments;
    lepton::bench::add_options(app, arguments);
    CLI11_PARSE(app, argc, argv);
    try {
        lepton::bench::run(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lepton-inprocess: %s\n", error.what());
        return 1;
    }
    return 0;
}
