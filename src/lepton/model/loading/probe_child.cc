#include "lepton/model/loading/probe_child.h"

#include <csignal>
#include <string>
#include <string_view>
#include <utility>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lepton/engine/registry.h"
#include "lepton/model/cpu_budget.h"
#include "lepton/model/loading/model_loader.h"
#include "lepton/model/tuning/instance_tuning.h"
#include "lepton/model/tuning/tuning_messages.h"

namespace lepton::model {
namespace {

constexpr std::size_t kLargestRequest = std::size_t{8} << 20;
constexpr std::size_t kLongestMessage = 4096;
constexpr int kLeastNice = 19;

std::string read_request() {
    std::string text;
    std::string block(std::size_t{64} << 10, '\0');
    while (text.size() < kLargestRequest) {
        const ssize_t more = ::read(STDIN_FILENO, block.data(), block.size());
        if (more <= 0) break;
        text.append(block, 0, static_cast<std::size_t>(more));
    }
    return text;
}

// Whole before the next step begins, which may be the last.
void tell(const tuning::ProbeLine& line) {
    const std::string text = to_line(line) + '\n';
    for (std::size_t written = 0; written < text.size();) {
        const ssize_t more = ::write(kProbeOutput, text.data() + written, text.size() - written);
        if (more <= 0) return;
        written += static_cast<std::size_t>(more);
    }
}

// A model that ends the process is expected here: it is told by whoever started us.
void behave(bool background) {
    // Nobody would wait for the result.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    // Sanitizers take some of them, and would hide the signal behind an exit status.
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, SIG_DFL);
    if (!background) return;
    ::setpriority(PRIO_PROCESS, 0, kLeastNice);
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);
}

Result<TuningPlan> try_model(const tuning::ProbeRequest& request) {
    LEPTON_TRY(ModelConfig config, parse_model_config(request.config(), "config.pbtxt"));
    const TuningSubject subject = from_message(request.subject());
    subject.put_into(config);
    engine::EngineRegistry engines(request.engines_folder());
    LEPTON_TRY(engine::Engine * engine, engines.by_name(request.engine()));
    LEPTON_TRY(const std::unique_ptr<engine::Graph> graph,
               open_graph(*engine, request.file(), config, request.cache_dir()));
    TuningOptions options;
    options.cores = subject.cores;
    options.effort = request.tune() ? TuningEffort::kTune : TuningEffort::kProve;
    options.first_instance_only = true;
    LEPTON_TRY(options.samples, samples_of(request.file(), config));
    options.on_step = [](std::string_view step) {
        tuning::ProbeLine line;
        line.set_step(std::string(step));
        tell(line);
    };
    Result<TunedInstances> tuned = tune_instances(*graph, config, std::move(options));
    if (!tuned) return tl::unexpected(naming_file(std::move(tuned).error(), request.file()));
    return std::move(tuned->plan);
}

}  // namespace

Result<std::string> record_of(const std::filesystem::path& engines_folder,
                              const std::filesystem::path& file,
                              const std::filesystem::path& config) {
    behave(false);
    engine::EngineRegistry engines(engines_folder);
    LEPTON_TRY(const ModelConfig read, read_model_config(config));
    LEPTON_TRY(engine::Engine * engine, engines.choose(read.backend, read.platform, file));
    TuningOptions options;
    options.cores = cpu_budget();
    options.first_instance_only = true;
    LEPTON_TRY(options.samples, samples_of(file, read));
    LEPTON_TRY(const TuningSubject subject,
               TuningSubject::of(file, *engine, read, options.samples, options.cores));
    LEPTON_TRY(const std::unique_ptr<engine::Graph> graph, open_graph(*engine, file, read, {}));
    LEPTON_TRY(const TunedInstances tuned, tune_instances(*graph, read, std::move(options)));
    return to_json(subject, tuned.plan);
}

int run_probe() {
    tuning::ProbeRequest request;
    if (!from_json(read_request(), request)) return 2;
    behave(request.background());
    const Result<TuningPlan> plan = try_model(request);
    tuning::ProbeLine line;
    if (plan) {
        *line.mutable_plan() = to_message(*plan);
    } else {
        line.mutable_failure()->set_code(static_cast<int>(plan.error().code));
        line.mutable_failure()->set_message(plan.error().message.substr(0, kLongestMessage));
    }
    tell(line);
    return 0;
}

}  // namespace lepton::model
