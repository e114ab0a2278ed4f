#include "options.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include <CLI/CLI.hpp>

namespace lepton::bench {
namespace {

constexpr const char* kExamples = R"(
Examples:
  lepton-bench --url http://127.0.0.1:8000 --model digits --rate 500 --deadline 5ms
  lepton-bench --url grpc://127.0.0.1:8000 --model digits --concurrency 4
  lepton-bench --url unix:/run/lepton --model net --rate 200 --arrivals bursty
      --class name=control,share=0.2,deadline=6ms,priority=1
      --class name=logging,share=0.8,deadline=100ms
  lepton-bench --service service/ --model net --rate 1000

Measures one point and prints one JSON object on stdout.)";

constexpr int kWrongUsage = 2;
constexpr double kHighestRate = 1e7;
constexpr int kMostThreads = 4096;

// Calls `take(parsed)` with the result of `parse(text)` for each value; reports those it cannot
// parse.
template <class Parse, class Take>
CLI::Option* add_parsed(
    CLI::App& app, const std::string& flag, const char* help, Parse parse, Take take) {
    return app
        .add_option_function<std::vector<std::string>>(
            flag,
            [parse, take](const std::vector<std::string>& texts) {
                // The values were checked below.
                for (const std::string& text : texts) take(*parse(text));
            },
            help)
        ->take_all()
        ->allow_extra_args(false)
        ->check([parse](const std::string& text) {
            const auto parsed = parse(text);
            return parsed ? std::string() : parsed.error().message;
        });
}

CLI::Option* add_time(CLI::App& app,
                      const std::string& flag,
                      std::chrono::nanoseconds& value,
                      bool may_be_zero,
                      const char* help) {
    const auto parse = [may_be_zero](const std::string& text) -> Result<std::chrono::nanoseconds> {
        const auto time = parse_time(text);
        if (time && (may_be_zero || time->count() > 0)) return *time;
        const bool is_number = text.find_first_not_of("0123456789.") == std::string::npos;
        return fail(
            ErrorCode::kInvalidArgument,
            is_number && !text.empty()
                ? text + " has no unit; write " + text + "us, " + text + "ms or " + text + "s"
                : "\"" + text + "\" is not a time above 0; write 50us, 2ms or 1.5s");
    };
    return add_parsed(app, flag, help, parse, [&value](auto time) { value = time; })
        ->type_name("TIME");
}

struct OneClass {
    std::chrono::nanoseconds deadline{0};
    std::uint32_t priority = 0;
};

void add_target_options(CLI::App& app, Options& options) {
    auto* const target = app.add_option_group("target");
    target->add_option("--url",
                       options.target.url,
                       "Server: http://HOST:PORT, grpc://HOST:PORT, unix:/PATH, grpc+unix:/PATH");
    target->add_option("--service", options.target.service, "Folder to be run in this process")
        ->type_name("DIR");
    target->require_option(1);
    app.add_option("--model", options.model, "Which model to ask; by default the only one");
    app.add_option("--version", options.version, "Its version; by default the latest");
    app.add_option("--engines-dir", options.target.engines_dir, "Engines of --service")
        ->type_name("DIR");
    app.add_option("--cores", options.target.cores, "Cores of --service; 0: all")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--connections", options.target.connections, "Most connections to the server")
        ->check(CLI::Range(1, 60'000))
        ->capture_default_str();
}

void add_input_options(CLI::App& app, Options& options) {
    app.add_option("--rows", options.inputs.rows, "Rows of a request, where it may choose")
        ->check(CLI::PositiveNumber);
    add_parsed(app,
               "--shape",
               "Shape of an input that the model leaves open",
               parse_shape,
               [&options](auto shape) { options.inputs.shapes.push_back(std::move(shape)); })
        ->type_name("NAME:1,3,224,224");
    app.add_option("--seed", options.arrivals.seed, "Of times, classes and values")
        ->capture_default_str();
}

void add_load_options(CLI::App& app, Options& options, OneClass& one) {
    auto* const rate =
        app.add_option("--rate", options.arrivals.rate, "Requests a second, answered or not");
    rate->check([](const std::string& text) {
        double value = 0;
        const bool good =
            CLI::detail::lexical_cast(text, value) && value > 0 && value <= kHighestRate;
        return good ? std::string() : "is " + text + ", expected more than 0 and at most 1e7";
    });
    app.add_option("--concurrency",
                   options.concurrency,
                   "Instead: threads that send their next request after an answer")
        ->check(CLI::Range(1, kMostThreads))
        ->excludes(rate);
    const auto pattern = [](const std::string& text) -> Result<Pattern> {
        if (const auto known = parse_pattern(text)) return *known;
        return fail(ErrorCode::kInvalidArgument,
                    "\"" + text + "\" is not one of poisson, uniform, bursty and replay");
    };
    add_parsed(app,
               "--arrivals",
               "poisson, uniform, bursty or replay",
               pattern,
               [&options](Pattern value) { options.arrivals.pattern = value; })
        ->type_name("PATTERN")
        ->default_str("poisson");
    app.add_option("--trace", options.trace_file, "Times to replay: lines of SECONDS[,CLASS]")
        ->type_name("FILE");
    add_time(app,
             "--burst-lasts",
             options.arrivals.burst_lasts,
             false,
             "Mean length of a burst and of a lull");
    add_parsed(app,
               "--class",
               "Requests of a kind; once per kind",
               parse_load_class,
               [&options](LoadClass made) { options.classes.push_back(std::move(made)); })
        ->type_name("name=N,share=S,deadline=TIME,priority=P");
    add_time(app, "--deadline", one.deadline, false, "Of all requests, where there is no --class");
    app.add_option("--priority", one.priority, "Of all requests, where there is no --class");
    add_time(app, "--duration", options.duration, false, "How long to measure (10s)");
    add_time(app, "--warmup", options.warmup, true, "Load before that does not count (1s)");
    add_time(app,
             "--timeout",
             options.target.timeout,
             false,
             "How long an answer is waited for, beyond the deadline (10s)");
    app.add_flag("--progress", options.progress, "Say on stderr how far it is, as JSON lines");
    app.add_flag("!--no-buckets", options.buckets, "Leave the histograms out of the result");
}

// Checks what no single option can see.
Result<> check(Options& options, const OneClass& one) {
    const auto bad = [](std::string message) {
        return fail(ErrorCode::kInvalidArgument, std::move(message));
    };
    const bool replays = options.arrivals.pattern == Pattern::kReplay;
    if (replays == options.trace_file.empty()) {
        return bad(replays ? "--arrivals replay needs --trace FILE"
                           : "--trace is for --arrivals replay");
    }
    if (options.concurrency > 0 && replays) {
        return bad("--concurrency sends when it was answered, it cannot replay a trace");
    }
    if (options.concurrency == 0 && options.arrivals.rate == 0 && !replays) {
        return bad("name a load: --rate R, or --concurrency N");
    }
    if (options.classes.empty()) {
        options.classes.push_back({"all", 1, one.deadline, one.priority});
    } else if (one.deadline.count() > 0 || one.priority > 0) {
        return bad("--deadline and --priority are for all requests; write them into --class");
    }
    for (std::size_t i = 0; i < options.classes.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (options.classes[i].name == options.classes[j].name) {
                return bad("there are two classes of the name " + options.classes[i].name);
            }
        }
    }
    if (replays) {
        LEPTON_TRY(options.arrivals.trace, read_trace(options.trace_file));
    }
    options.inputs.seed = options.arrivals.seed;
    return {};
}

}  // namespace

Parsed parse_options(int argc, char** argv) {
    Options options;
    options.target.timeout = std::chrono::seconds(10);
    OneClass one;
    CLI::App app("Measures an inference server under load", "lepton-bench");
    add_target_options(app, options);
    add_input_options(app, options);
    add_load_options(app, options, one);
    app.footer(kExamples);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return {std::nullopt, app.exit(error) == 0 ? 0 : kWrongUsage};
    }
    if (const Result<> checked = check(options, one); !checked) {
        std::fprintf(stderr, "lepton-bench: %s\n", checked.error().message.c_str());
        return {std::nullopt, kWrongUsage};
    }
    return {std::move(options), 0};
}

}  // namespace lepton::bench
