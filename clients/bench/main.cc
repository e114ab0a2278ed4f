// lepton-bench: sends an inference server the load that it is told to, and prints the outcome as
// one JSON object. `lepton bench` is its front end for people.

#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "closed_loop.h"
#include "open_loop.h"
#include "options.h"
#include "result_json.h"

namespace lepton::bench {
namespace {

constexpr int kFailed = 1;

// Each request in flight has a connection; the usual limit of 1024 files is slightly too low.
void allow_many_files() {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

Result<Measurement> measure(const Options& options, Target& target, const Plan& plan) {
    if (options.concurrency > 0) return run_closed_loop(target, plan, options.concurrency);
    return run_open_loop(target, plan, options.arrivals);
}

// Returns the named model, or the only one.
Result<ModelInfo> find_model(const Options& options, Target& target) {
    if (!options.model.empty()) return target.model(options.model, options.version);
    const auto models = target.models();
    if (!models && models.error().code != ErrorCode::kUnsupported) {
        return tl::unexpected<Error>(models.error());
    }
    if (!models) {
        return fail(models.error().code,
                    "which model? name one with --model (" + models.error().message + ")");
    }
    if (models->size() == 1) return target.model(models->front(), options.version);
    std::string names;
    for (const std::string& name : *models) names += (names.empty() ? "" : ", ") + name;
    return fail(ErrorCode::kInvalidArgument,
                models->empty() ? "no model is ready" : "name one of them with --model: " + names);
}

Result<std::string> run(const Options& options) {
    LEPTON_TRY(const std::unique_ptr<Target> target, open_target(options.target));
    LEPTON_TRY(const ModelInfo model, find_model(options, *target));
    LEPTON_TRY(const ModelInputs inputs, ModelInputs::make(model, options.inputs));
    Plan plan;
    plan.classes = options.classes;
    plan.request.model = model.name;
    plan.request.version = options.version;
    inputs.put_into(plan.request);
    plan.warmup = options.warmup;
    plan.duration = options.duration;
    plan.timeout = options.target.timeout;
    plan.seed = options.arrivals.seed;
    plan.connections = options.target.url.empty() ? 0 : options.target.connections;
    if (options.progress) {
        plan.progress = [](const Plan::Progress& progress) {
            std::fprintf(stderr, "%s\n", to_json(progress).c_str());
        };
    }
    LEPTON_TRY(const Measurement seen, measure(options, *target, plan));
    return to_json(options, model, plan, seen);
}

}  // namespace
}  // namespace lepton::bench

int main(int argc, char** argv) {
    try {
        const lepton::bench::Parsed parsed = lepton::bench::parse_options(argc, argv);
        if (!parsed.options) return parsed.exit_status;
        lepton::bench::allow_many_files();
        const auto printed = lepton::bench::run(*parsed.options);
        if (!printed) {
            std::fprintf(stderr, "lepton-bench: %s\n", printed.error().message.c_str());
            return lepton::bench::kFailed;
        }
        std::puts(printed->c_str());
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lepton-bench: %s\n", error.what());
        return lepton::bench::kFailed;
    }
}
