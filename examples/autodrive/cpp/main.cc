// Drives a simulated car with a planner that Lepton serves, or that runs in this process; see
// README.md.
//
//     autodrive --url http://127.0.0.1:8000 --course course.csv
//     autodrive --service service --course course.csv

#include <charconv>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "autodrive_ai.h"
#include "drive.h"
#include "lepton/client.h"
#include "lepton/server.h"
#include "simulator.h"
#include "track.h"

namespace {

using autodrive::AutodriveAI;
using lepton::ErrorCode;
using lepton::Result;

constexpr std::string_view kUsage =
    "usage: autodrive [--url URL | --service DIR [--engines DIR]] [--model NAME]\n"
    "                 [--course CSV] [--hz N] [--deadline MS] [--laps N] [--seconds S]\n"
    "                 [--seed N] [--record CSV]\n";

struct Arguments {
    std::string url = "http://127.0.0.1:8000";
    std::string service;  // Empty: the server at `url`.
    std::string engines;  // For `service`; empty: lib/engines beside the program's folder.
    std::string model = "planner";
    std::string course = "course.csv";
    std::string record;  // Empty: not written.
    std::uint64_t seed = 1;
    autodrive::DriveOptions drive;
};

Result<double> read_positive(std::string_view flag, std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) || value > 1e9) {
        return lepton::fail(
            ErrorCode::kInvalidArgument,
            std::string(flag) + " is \"" + std::string(text) + "\", expected a number above 0");
    }
    return value;
}

Result<Arguments> parse(std::span<char*> words) {
    Arguments arguments;
    for (std::size_t i = 1; i < words.size(); i += 2) {
        const std::string_view flag = words[i];
        if (i + 1 == words.size()) {
            return lepton::fail(ErrorCode::kInvalidArgument,
                                std::string(flag) + " lacks its value");
        }
        const std::string_view value = words[i + 1];
        if (flag == "--url") {
            arguments.url = value;
        } else if (flag == "--service") {
            arguments.service = value;
        } else if (flag == "--engines") {
            arguments.engines = value;
        } else if (flag == "--model") {
            arguments.model = value;
        } else if (flag == "--course") {
            arguments.course = value;
        } else if (flag == "--record") {
            arguments.record = value;
        } else {
            LEPTON_TRY(const double number, read_positive(flag, value));
            if (flag == "--hz") {
                arguments.drive.hz = number;
            } else if (flag == "--deadline") {
                arguments.drive.deadline = std::chrono::duration<double, std::milli>(number);
            } else if (flag == "--laps") {
                arguments.drive.laps = number;
            } else if (flag == "--seconds") {
                arguments.drive.seconds = number;
            } else if (flag == "--seed") {
                arguments.seed = static_cast<std::uint64_t>(number);
            } else {
                return lepton::fail(ErrorCode::kInvalidArgument,
                                    "no such flag: " + std::string(flag));
            }
        }
    }
    return arguments;
}

// Opens either of them; the AI's requests are the same.
Result<AutodriveAI::Planner> open_planner(const Arguments& arguments,
                                          std::optional<lepton::Client>& client,
                                          std::optional<lepton::Server>& server) {
    if (!arguments.service.empty()) {
        lepton::ServerOptions options;
        options.services = {arguments.service};
        options.engines_dir = arguments.engines;
        LEPTON_TRY(server, lepton::Server::open(options));
        return [&server](const lepton::InferRequest& request, lepton::InferResult& result) {
            return server->infer(request, result);
        };
    }
    LEPTON_TRY(client, lepton::Client::open(arguments.url));
    return [&client](const lepton::InferRequest& request, lepton::InferResult& result) {
        return client->infer(request, result);
    };
}

Result<bool> run(const Arguments& arguments) {
    LEPTON_TRY(const autodrive::Track track, autodrive::Track::load(arguments.course));
    std::optional<lepton::Client> client;
    std::optional<lepton::Server> server;
    LEPTON_TRY(AutodriveAI::Planner planner, open_planner(arguments, client, server));
    AutodriveAI ai(std::move(planner),
                   {.model = arguments.model,
                    .period = 1 / arguments.drive.hz,
                    .deadline = std::chrono::duration_cast<lepton::Clock::duration>(
                        arguments.drive.deadline)});
    LEPTON_RETURN_IF_ERROR(ai.warm_up());
    autodrive::Simulator car(track, arguments.seed);
    const autodrive::Drive drive = autodrive::drive(ai, car, arguments.drive);
    autodrive::report(drive, track, arguments.drive, std::cout);
    if (!arguments.record.empty() && !autodrive::save(drive, arguments.record)) {
        return lepton::fail(ErrorCode::kInternal, "cannot write " + arguments.record);
    }
    if (drive.touched) std::cerr << "autodrive: the car touched a wall\n";
    return !drive.touched;
}

}  // namespace

int main(int argc, char** argv) {
    const Result<Arguments> arguments = parse({argv, static_cast<std::size_t>(argc)});
    if (!arguments) {
        std::cerr << "autodrive: " << arguments.error().message << "\n" << kUsage;
        return 2;
    }
    const Result<bool> arrived = run(*arguments);
    if (!arrived) std::cerr << "autodrive: " << arrived.error().message << "\n";
    return arrived && *arrived ? 0 : 1;
}
