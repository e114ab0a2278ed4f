#include "lepton/model/loading/model_loader.h"

#include <algorithm>
#include <utility>

#include "lepton/model/config/engine_parameters.h"
#include "lepton/model/config/signature.h"
#include "lepton/model/loading/narrowed_tensors.h"
#include "lepton/model/store/repository_layout.h"
#include "lepton/observe/log.h"

namespace lepton::model {
namespace {

// Beside the engines.
constexpr const char* kProbeProgram = "lepton-probe";
// For the compilation of more than what answers a first request. For the smallest models all of it
// is done in less.
constexpr Clock::duration kPatience = std::chrono::milliseconds(100);

std::string row_counts(const std::vector<ServiceTime>& service_times) {
    std::string list;
    for (const ServiceTime& service : service_times) {
        if (!list.empty()) list += ',';
        list += std::to_string(service.rows);
    }
    return list;
}

std::string format_of(const std::filesystem::path& file) {
    const std::string extension = file.extension().string();
    return extension.empty() ? "folder" : extension.substr(1);
}

// What the graph says, with the shapes that only the configuration knows.
std::vector<TensorSpec> completed(std::vector<TensorSpec> specs,
                                  const std::vector<TensorConfig>& configs,
                                  bool batch_axis) {
    for (TensorSpec& spec : specs) {
        const auto config =
            std::find_if(configs.begin(), configs.end(), [&](const auto& candidate) {
                return candidate.name == spec.name;
            });
        if (config == configs.end() || !config->dims) continue;
        const std::size_t shift = batch_axis ? 1 : 0;
        for (std::size_t i = 0; i < config->dims->rank(); ++i) {
            spec.shape[i + shift] = (*config->dims)[i];
        }
    }
    return specs;
}

// Whether the model can be padded as the configuration asks.
Result<> check_padding(const engine::Graph& graph, const ModelConfig& config) {
    if (config.pad_to.empty()) return {};
    constexpr std::int64_t kMostElements = std::int64_t{1} << 28;
    for (const auto* specs : {&graph.inputs(), &graph.outputs()}) {
        for (const TensorSpec& spec : *specs) {
            if (spec.dtype == DataType::kBytes) {
                return fail(ErrorCode::kInvalidArgument,
                            "parameter \"pad_to\" is set, but \"" + spec.name +
                                "\" has datatype BYTES, which cannot be padded");
            }
        }
    }
    for (const TensorSpec& spec : graph.inputs()) {
        Shape row = spec.shape.empty() ? Shape{} : spec.shape.row();
        for (std::size_t axis = 0; axis < row.rank(); ++axis) {
            if (row[axis] < 0) row[axis] = config.pad_to.back();
        }
        if (row.element_count().value_or(kMostElements + 1) > kMostElements) {
            return fail(ErrorCode::kInvalidArgument,
                        "parameter \"pad_to\" makes " + to_string(row) + " of a row of \"" +
                            spec.name + "\", at most " + std::to_string(kMostElements) +
                            " elements are allowed");
        }
    }
    return {};
}

std::shared_ptr<const ModelSpec> make_spec(const std::string& name,
                                           std::int64_t version,
                                           const std::filesystem::path& file,
                                           const ModelConfig& config,
                                           const engine::Engine& engine,
                                           const engine::Graph& graph,
                                           const TunedInstances& tuned) {
    auto spec = std::make_shared<ModelSpec>();
    spec->name = name;
    spec->version = std::to_string(version);
    spec->platform = graph.platform();
    spec->inputs = graph.inputs();
    spec->outputs = completed(graph.outputs(), config.outputs, config.dims_of_rows);
    const TuningPlan& plan = tuned.plan;
    spec->batches = plan.batches;
    spec->max_batch_size = config.max_batch_size.value_or(0);
    spec->pad_to = config.pad_to;
    spec->defect = graph.defect();
    spec->properties = {
        {"engine", std::string(engine.name()) + " " + engine.version()},
        {"format", format_of(file)},
        {"precision", std::string(to_string(config.precision))},
        {"instances", std::to_string(tuned.sessions.size())},
        {"threads", std::to_string(plan.threads)},
        {"batching", plan.batching},
        {"batch_sizes", row_counts(plan.service_times)},
        {"warm_up", plan.warm_up},
        {"tuning", plan.origin},
    };
    if (config.device != Device{}) {
        spec->properties.emplace_back("device", to_string(config.device));
    }
    if (const auto known = known_parameters(engine, config.parameters)) {
        spec->properties.insert(spec->properties.end(), known->begin(), known->end());
    }
    if (!config.pad_to.empty()) {
        spec->properties.emplace_back("pad_to", to_text(SettingValue(config.pad_to)));
    }
    if (std::string narrowed = narrowed_tensors(*spec); !narrowed.empty()) {
        spec->properties.emplace_back("computed_as", std::move(narrowed));
    }
    if (!spec->defect.empty()) {
        spdlog::warn("model_refuses model={} version={} reason={}",
                     name,
                     version,
                     observe::quoted(spec->defect));
        spec->properties.emplace_back("defect", spec->defect);
    }
    return spec;
}

}  // namespace

Result<engine::Engine*> ModelLoader::choose_engine(const std::filesystem::path& file,
                                                   const ModelConfig& config) {
    return engines_.choose(config.backend, config.platform, file);
}

// What is to be loaded; each load has its own.
struct ModelLoader::Job {
    const std::string& name;
    std::int64_t version;
    const std::filesystem::path& file;
    const ModelConfig& config;
    engine::Engine& engine;
    std::vector<DeclaredSample> samples = {};
};

ModelLoader::ModelLoader(engine::EngineRegistry& engines, Options options)
    : engines_(engines),
      options_(std::move(options)),
      records_(options_.records_dir),
      probe_({.program = engines.folder() / kProbeProgram, .longest_step = options_.longest_step}) {
}

std::vector<std::string> ModelLoader::warnings(const std::filesystem::path& file,
                                               const ModelConfig& config) {
    std::vector<std::string> warnings;
    const Result<engine::Engine*> engine = choose_engine(file, config);
    if (!engine) return warnings;
    const Result<std::vector<std::string>> unknown = (*engine)->unknown(config.parameters);
    if (!unknown) return warnings;
    for (const std::string& name : *unknown) {
        warnings.push_back(config.source + ": parameter \"" + name + "\" has no effect");
    }
    return warnings;
}

Result<std::shared_ptr<LoadedModel>> ModelLoader::load(const std::string& name,
                                                       std::int64_t version,
                                                       const std::filesystem::path& file,
                                                       const ModelConfig& config) {
    LEPTON_TRY(engine::Engine * engine, choose_engine(file, config));
    LEPTON_TRY(std::vector<DeclaredSample> samples, samples_of(file, config));
    const Job job{name, version, file, config, *engine, std::move(samples)};
    return engine->may_crash(file) ? load_tried(job) : tune_here(job);
}

Result<std::shared_ptr<LoadedModel>> ModelLoader::load(const std::string& name,
                                                       std::int64_t version,
                                                       const std::filesystem::path& file,
                                                       const ModelConfig& config,
                                                       const TuningPlan& plan) {
    LEPTON_TRY(engine::Engine * engine, choose_engine(file, config));
    LEPTON_TRY(std::vector<DeclaredSample> samples, samples_of(file, config));
    return follow({name, version, file, config, *engine, std::move(samples)}, plan, std::nullopt);
}

Result<std::shared_ptr<LoadedModel>> ModelLoader::load_tried(const Job& job) {
    LEPTON_TRY(const TuningSubject subject,
               TuningSubject::of(job.file, job.engine, job.config, job.samples, options_.cores));
    const bool first = options_.tuning == TuningTime::kFirst;
    const auto patience = first ? std::nullopt : std::optional<Clock::duration>(kPatience);
    if (auto known = records_.find(subject, job.file)) {
        // Clients read this: where the file lies is for the log alone.
        known->plan.origin = "recorded in " + known->file.filename().string();
        const bool told = known->plan.tuned || !first;
        auto model = told ? follow(job, known->plan, patience)
                          : fail(ErrorCode::kUnavailable, "it was not measured");
        if (model) {
            spdlog::info("tuning_record_used model={} version={} file={}",
                         job.name,
                         job.version,
                         observe::quoted(known->file.string()));
            return model;
        }
        if (told) {
            spdlog::warn("tuning_record_ignored file={} reason={}",
                         observe::quoted(known->file.string()),
                         observe::quoted(model.error().message));
        }
    }
    if (!probe_.available()) {
        spdlog::warn(
            "probe_missing model={} file={} reason=\"the model is tried in this process, which it "
            "may end\"",
            job.name,
            observe::quoted((engines_.folder() / kProbeProgram).string()));
        return tune_here(job);
    }
    LEPTON_TRY(TuningPlan plan, try_elsewhere(job, subject, first, false));
    plan.origin = first ? "measured at start" : "as it was tried";
    LEPTON_TRY(std::shared_ptr<LoadedModel> model, follow(job, plan, patience));
    records_.keep(subject, plan);
    return model;
}

Result<TuningPlan> ModelLoader::try_elsewhere(const Job& job,
                                              const TuningSubject& subject,
                                              bool tune,
                                              bool background) {
    return probe_.run({.engines_folder = engines_.folder(),
                       .engine = std::string(job.engine.name()),
                       .file = job.file,
                       .cache_dir = options_.cache_dir,
                       .config = job.config,
                       .subject = subject,
                       .tune = tune,
                       .background = background});
}

Result<TuningPlan> ModelLoader::tune(const std::filesystem::path& file, const ModelConfig& config) {
    LEPTON_TRY(engine::Engine * engine, choose_engine(file, config));
    LEPTON_TRY(const std::vector<DeclaredSample> samples, samples_of(file, config));
    LEPTON_TRY(const TuningSubject subject,
               TuningSubject::of(file, *engine, config, samples, options_.cores));
    auto known = records_.find(subject, file);
    if (known && known->plan.tuned) return known->plan;
    if (!probe_.available()) {
        return fail(ErrorCode::kUnsupported,
                    (engines_.folder() / kProbeProgram).string() + " is missing");
    }
    const std::string nameless;
    Result<TuningPlan> plan =
        try_elsewhere({nameless, 0, file, config, *engine}, subject, true, true);
    if (plan) {
        plan->origin = "measured while it served";
        records_.keep(subject, *plan);
    } else if (known && plan.error().code != ErrorCode::kUnavailable) {
        // What it is run with was tried; to measure it again would fail again.
        known->plan.tuned = true;
        records_.keep(subject, known->plan);
    }
    return plan;
}

Result<std::shared_ptr<LoadedModel>> ModelLoader::follow(const Job& job,
                                                         const TuningPlan& plan,
                                                         std::optional<Clock::duration> patience) {
    LEPTON_TRY(const std::unique_ptr<engine::Graph> graph,
               open_graph(job.engine, job.file, job.config, options_.cache_dir));
    return finish(job, *graph, make_instances(*graph, job.config, plan, patience, job.samples));
}

Result<std::shared_ptr<LoadedModel>> ModelLoader::tune_here(const Job& job) {
    LEPTON_TRY(const std::unique_ptr<engine::Graph> graph,
               open_graph(job.engine, job.file, job.config, options_.cache_dir));
    TuningOptions options;
    options.cores = options_.cores;
    options.samples = job.samples;
    Result<TunedInstances> tuned = tune_instances(*graph, job.config, std::move(options));
    if (tuned) tuned->plan.origin = "measured at start";
    return finish(job, *graph, std::move(tuned));
}

Result<std::shared_ptr<LoadedModel>> ModelLoader::finish(const Job& job,
                                                         const engine::Graph& graph,
                                                         Result<TunedInstances> tuned) {
    if (!tuned) return tl::unexpected(naming_file(std::move(tuned).error(), job.file));
    auto model = std::make_shared<LoadedModel>();
    model->spec = make_spec(job.name, job.version, job.file, job.config, job.engine, graph, *tuned);
    model->sessions = std::move(tuned->sessions);
    model->service_times = tuned->plan.service_times;
    model->queue = job.config.queue;
    model->engine = job.engine.name();
    model->threads = tuned->plan.threads;
    model->device = job.config.device;
    model->plan = std::move(tuned->plan);
    model->rest = std::move(tuned->rest);
    return model;
}

Result<std::vector<DeclaredSample>> samples_of(const std::filesystem::path& file,
                                               const ModelConfig& config) {
    return read_samples(
        config.warm_up, samples_folder(file), config.dims_of_rows, config.max_batch_size);
}

std::vector<std::filesystem::file_time_type> written_samples(const std::filesystem::path& file,
                                                             const ModelConfig& config) {
    std::vector<std::filesystem::file_time_type> times;
    for (const WarmUpSample& sample : config.warm_up) {
        for (const WarmUpSample::Input& input : sample.inputs) {
            if (input.content != WarmUpSample::Content::kFile) continue;
            times.push_back(written(samples_folder(file) / input.file));
        }
    }
    return times;
}

Error naming_file(Error error, const std::filesystem::path& file) {
    if (error.message.find(file.string()) == std::string::npos) {
        error.message.insert(0, file.string() + ": ");
    }
    return error;
}

Result<std::unique_ptr<engine::Graph>> open_graph(engine::Engine& engine,
                                                  const std::filesystem::path& file,
                                                  const ModelConfig& config,
                                                  const std::filesystem::path& cache_dir) {
    if (auto can = engine::check(engine, config.device, config.parameters); !can) {
        return tl::unexpected(naming_file(std::move(can).error(), file));
    }
    engine::OpenOptions options;
    options.cache_dir = cache_dir;
    options.device = config.device;
    options.parameters = config.parameters;
    LEPTON_TRY(std::unique_ptr<engine::Graph> graph, engine.open(file, options));
    LEPTON_TRY(options.input_shapes, check_signature(*graph, config));
    if (!options.input_shapes.empty()) {
        graph.reset();
        LEPTON_TRY(graph, engine.open(file, options));
    }
    if (auto can_pad = check_padding(*graph, config); !can_pad) {
        return tl::unexpected(naming_file(std::move(can_pad).error(), file));
    }
    return graph;
}

}  // namespace lepton::model
