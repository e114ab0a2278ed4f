#include "lepton/model/model_loader.h"

#include <algorithm>
#include <utility>

#include "lepton/model/instance_tuning.h"
#include "lepton/model/narrowed_tensors.h"
#include "lepton/model/signature.h"
#include "lepton/observe/log.h"

namespace lepton::model {
namespace {

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
    const bool batch_axis = config.max_batch_size.value_or(0) > 0;
    auto spec = std::make_shared<ModelSpec>();
    spec->name = name;
    spec->version = std::to_string(version);
    spec->platform = graph.platform();
    spec->inputs = graph.inputs();
    spec->outputs = completed(graph.outputs(), config.outputs, batch_axis);
    spec->batches = tuned.batches;
    spec->max_batch_size = config.max_batch_size.value_or(0);
    spec->pad_to = config.pad_to;
    spec->defect = graph.defect();
    spec->properties = {
        {"engine", std::string(engine.name()) + " " + engine.version()},
        {"format", format_of(file)},
        {"precision", std::string(to_string(config.precision))},
        {"instances", std::to_string(tuned.sessions.size())},
        {"threads", std::to_string(tuned.threads)},
        {"batching", tuned.batching},
        {"batch_sizes", row_counts(tuned.service_times)},
        {"warm_up", tuned.warm_up},
    };
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
    // A repository made for Triton names Triton's backends, whose files other engines may read.
    const std::vector<std::string> names = engines_.names();
    if (std::find(names.begin(), names.end(), config.backend) == names.end()) {
        return engines_.for_model(file);
    }
    LEPTON_TRY(engine::Engine * engine, engines_.by_name(config.backend));
    if (engine->reads(file)) return engine;
    return fail(ErrorCode::kInvalidArgument,
                "config.pbtxt asks for engine \"" + config.backend + "\", which does not read " +
                    file.string());
}

Result<std::unique_ptr<engine::Graph>> ModelLoader::open(engine::Engine& engine,
                                                         const std::filesystem::path& file,
                                                         const ModelConfig& config) {
    engine::OpenOptions options;
    options.cache_dir = options_.cache_dir;
    LEPTON_TRY(std::unique_ptr<engine::Graph> graph, engine.open(file, options));
    LEPTON_TRY(options.input_shapes, check_signature(*graph, config));
    if (options.input_shapes.empty()) return graph;
    graph.reset();
    return engine.open(file, options);
}

Result<std::shared_ptr<LoadedModel>> ModelLoader::load(const std::string& name,
                                                       std::int64_t version,
                                                       const std::filesystem::path& file,
                                                       const ModelConfig& config) {
    LEPTON_TRY(engine::Engine * engine, choose_engine(file, config));
    LEPTON_TRY(std::unique_ptr<engine::Graph> graph, open(*engine, file, config));
    if (auto can_pad = check_padding(*graph, config); !can_pad) {
        return fail(can_pad.error().code, file.string() + ": " + can_pad.error().message);
    }
    Result<TunedInstances> tuned = tune_instances(*graph, config, options_.cores);
    if (!tuned) {
        Error error = std::move(tuned).error();
        if (error.message.find(file.string()) == std::string::npos) {
            error.message = file.string() + ": " + error.message;
        }
        return tl::unexpected(std::move(error));
    }
    auto model = std::make_shared<LoadedModel>();
    model->spec = make_spec(name, version, file, config, *engine, *graph, *tuned);
    model->sessions = std::move(tuned->sessions);
    model->service_times = std::move(tuned->service_times);
    model->queue = config.queue;
    model->engine = engine->name();
    model->threads = tuned->threads;
    return model;
}

}  // namespace lepton::model
