#include "engines/openvino/graph.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include <openvino/op/parameter.hpp>
#include <openvino/runtime/properties.hpp>

#include "engines/openvino/compiled_cache.h"
#include "engines/openvino/dynamic_session.h"
#include "engines/openvino/failure.h"
#include "engines/openvino/number_formats.h"
#include "engines/openvino/onnx_reader.h"
#include "engines/openvino/refusals.h"
#include "engines/openvino/repairs.h"
#include "engines/openvino/shape_skeleton.h"
#include "engines/openvino/signature.h"
#include "engines/openvino/static_session.h"
#include "engines/openvino/tokenizers.h"
#include "engines/openvino/value_guards.h"

namespace lepton::openvino {
namespace {

namespace fs = std::filesystem;

ov::element::Type element_type_of(engine::Precision precision) {
    switch (precision) {
        case engine::Precision::kBf16:
            return ov::element::bf16;
        case engine::Precision::kF16:
            return ov::element::f16;
        case engine::Precision::kF32:
            break;
    }
    return ov::element::f32;
}

// With one stream, infer() runs inline, in the thread that calls it; with more, OpenVINO hands the
// work to a thread of its own and waits. The LATENCY hint means one stream too, but would choose
// the number of threads itself. Pinning would bind the models of one process to the same cores, and
// set the affinity of our threads.
//
// With one thread, its executor swallows what a run throws, keeps the failed task, and runs it
// again before the next (CPUStreamsExecutor::Impl::Defer). With no stream at all exceptions come
// through, at a cost of about 4 us per run, which is paid only for models that may throw.
ov::AnyMap settings_of(const Source& source,
                       const ov::Model& model,
                       const engine::SessionOptions& options) {
    const bool throws = options.threads == 1 && may_refuse_at_run(model);
    ov::AnyMap settings{
        ov::num_streams(throws ? 0 : 1),
        ov::inference_num_threads(options.threads),
        ov::hint::inference_precision(element_type_of(options.precision)),
        ov::hint::enable_cpu_pinning(false),
        ov::hint::allow_auto_batching(false),
    };
    // The cache pays at every size that was measured, from the second start on: one row count of a
    // 0.4 MB model takes 17 ms to compile and 10 ms to read from the cache; of a 100 MB model 209
    // and 150 ms (the first start, which fills the cache: 26 and 420 ms). Each row count keeps its
    // own copy of the weights there.
    if (!source.cache_dir.empty()) settings.insert(ov::cache_dir(source.cache_dir.string()));
    return settings;
}

// OpenVINO accepts a precision that the CPU lacks, and then computes in another one.
Result<> check_precision(const ov::CompiledModel& compiled, const engine::SessionOptions& options) {
    const ov::element::Type used = compiled.get_property(ov::hint::inference_precision);
    if (used == element_type_of(options.precision)) return {};
    return fail(ErrorCode::kUnsupported,
                "precision " + std::string(to_string(options.precision)) +
                    " is not offered by this CPU, which would compute in " + used.get_type_name());
}

bool has_string_output(const ov::Node& node) {
    for (std::size_t i = 0; i < node.get_output_size(); ++i) {
        if (node.get_output_element_type(i) == ov::element::string) return true;
    }
    return false;
}

// Most nodes of the CPU plug-in of 2026.4 copy strings as the bytes of the objects, which are then
// freed twice (Identity, StridedSlice), and an output that is an input stays empty. Nodes that run
// OpenVINO's reference code, or only give the same memory another shape, are correct. Only the
// compiled model tells which node is which.
Result<> check_strings(const ov::CompiledModel& compiled) {
    const auto is_string = [](const auto& port) {
        return port.get_element_type() == ov::element::string;
    };
    const auto& outputs = compiled.outputs();
    if (std::none_of(outputs.begin(), outputs.end(), is_string)) return {};
    const std::shared_ptr<const ov::Model> executed = compiled.get_runtime_model();
    for (const std::shared_ptr<ov::Node>& node : executed->get_ops()) {
        const ov::RTMap& info = node->get_rt_info();
        const auto type = info.find("layerType");
        if (type == info.end() || !has_string_output(*node)) continue;
        const auto name = type->second.as<std::string>();
        const bool copies_input =
            name == "Output" && ov::is_type<ov::op::v0::Parameter>(node->get_input_node_ptr(0));
        if (name == "Input" || name == "Reference" || name == "Reshape") continue;
        if (name == "Output" && !copies_input) continue;
        return fail(ErrorCode::kUnsupported,
                    "node \"" + node->get_friendly_name() + "\" (" +
                        (copies_input ? "a copy" : name) +
                        ") handles strings, which OpenVINO does not do safely there");
    }
    return {};
}

// Text models contain operations that OpenVINO learns from another library. It is loaded for the
// first such model: others need neither the library nor the time.
Result<std::shared_ptr<ov::Model>> read(ov::Core& core, const std::string& file) {
    bool wants_tokenizers = false;
    const bool is_onnx = fs::path(file).extension() == ".onnx";
    const auto attempt = [&] {
        try {
            return is_onnx ? read_onnx(file) : core.read_model(file);
        } catch (const std::exception& error) {
            wants_tokenizers = asks_for_tokenizers(error.what());
            throw;
        }
    };
    const std::string what = file + " cannot be read";
    auto model = guarded(ErrorCode::kInvalidArgument, what, attempt);
    if (model || !wants_tokenizers) return model;
    LEPTON_RETURN_IF_ERROR(add_tokenizers(core, tokenizers_path()).map_error([&](Error error) {
        error.message = what + ": " + error.message;
        return error;
    }));
    return guarded(ErrorCode::kInvalidArgument, what, attempt);
}

// Gives the model the shapes that the configuration names, and leaves the others as they are.
Result<> reshape(ov::Model& model,
                 const std::vector<TensorSpec>& inputs,
                 const engine::OpenOptions& options,
                 const std::string& file) {
    std::map<std::size_t, ov::PartialShape> shapes;
    for (const auto& entry : options.input_shapes) {
        const std::string& name = entry.first;
        const auto input = std::find_if(
            inputs.begin(), inputs.end(), [&](const auto& in) { return in.name == name; });
        if (input == inputs.end()) {
            std::string message = file;
            message.append(" has no input \"").append(name).append("\"");
            return fail(ErrorCode::kInvalidArgument, std::move(message));
        }
        ov::PartialShape dims;
        for (const std::int64_t dim : entry.second) dims.push_back(dim < 0 ? ov::Dimension() : dim);
        shapes[static_cast<std::size_t>(input - inputs.begin())] = dims;
    }
    return guarded(ErrorCode::kInvalidArgument,
                   file + " cannot take the shapes of its configuration",
                   [&] { model.reshape(shapes); });
}

Result<std::shared_ptr<ov::Model>> read_with_shapes(ov::Core& core,
                                                    const fs::path& path,
                                                    const engine::OpenOptions& options) {
    const std::string file = path.string();
    LEPTON_TRY(std::shared_ptr<ov::Model> model, read(core, file));
    LEPTON_RETURN_IF_ERROR(guarded(ErrorCode::kInvalidArgument, file, [&] { repair(*model); }));
    if (options.input_shapes.empty()) return model;
    LEPTON_TRY(const std::vector<TensorSpec> inputs,
               input_specs(*model).map_error([&](Error error) {
                   error.message = file + ": " + error.message;
                   return error;
               }));
    LEPTON_RETURN_IF_ERROR(reshape(*model, inputs, options, file));
    return model;
}

// What remains for runs to compute, once the model is as sessions compile it.
struct Computed {
    std::vector<OutputSource> outputs;
    std::vector<std::string> faults;
};

Result<Computed> computed_part(ov::Model& model) {
    Computed computed;
    computed.outputs = separate_outputs(model);
    LEPTON_TRY(computed.faults, add_value_guards(model));
    return computed;
}

}  // namespace

Result<ov::CompiledModel> compile(const Source& source,
                                  const std::shared_ptr<const ov::Model>& model,
                                  const engine::SessionOptions& options) {
    auto compiled = guarded(ErrorCode::kInternal, source.file + " does not compile", [&] {
        const CompiledCache cache(source.cache_dir);
        return source.core->compile_model(model, "CPU", settings_of(source, *model, options));
    });
    if (!compiled) return compiled;
    LEPTON_RETURN_IF_ERROR(check_precision(*compiled, options));
    LEPTON_RETURN_IF_ERROR(check_strings(*compiled));
    return compiled;
}

Result<std::shared_ptr<ov::Model>> with_rows(const Source& source, std::int64_t rows) {
    const std::string what =
        source.file + " cannot run with " + std::to_string(rows) + " rows along axis 0";
    LEPTON_TRY(std::shared_ptr<ov::Model> model,
               guarded(ErrorCode::kInternal, what, [&] { return source.model->clone(); }));
    std::vector<ov::PartialShape> shapes;
    for (const auto& input : source.model->inputs()) {
        shapes.push_back(input.get_partial_shape());
        shapes.back()[0] = rows;
    }
    if (auto inferred = infer_shapes(*model, shapes); !inferred) {
        return fail(inferred.error().code, what + ": " + inferred.error().message);
    }
    return model;
}

Graph::Graph(std::shared_ptr<const Source> source,
             std::shared_ptr<const Plan> plan,
             std::string platform,
             std::vector<TensorSpec> inputs,
             std::vector<TensorSpec> outputs)
    : source_(std::move(source)),
      plan_(std::move(plan)),
      platform_(std::move(platform)),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)) {}

FileStamp FileStamp::of(const fs::path& path) {
    std::error_code error;
    FileStamp stamp;
    stamp.path = path;
    const auto size = fs::file_size(path, error);
    stamp.size = error ? 0 : size;
    const auto changed = fs::last_write_time(path, error);
    if (!error) stamp.changed = changed;
    return stamp;
}

namespace {

// The model's files, as far as names tell: its own, and those of weights beside them.
std::vector<fs::path> files_of(const fs::path& model) {
    constexpr std::array<std::string_view, 4> kWeights{".bin", ".data", ".onnx_data", ".pdiparams"};
    constexpr std::size_t kMost = 1000;
    std::vector<fs::path> files{model};
    std::error_code error;
    const bool whole = fs::is_directory(model, error);
    const fs::path folder = whole ? model : model.parent_path();
    for (fs::recursive_directory_iterator entry(folder, error), end;
         !error && entry != end && files.size() < kMost;
         entry.increment(error)) {
        if (!whole) entry.disable_recursion_pending();
        const std::string extension = entry->path().extension().string();
        const bool weights =
            std::find(kWeights.begin(), kWeights.end(), extension) != kWeights.end();
        if (whole || weights) files.push_back(entry->path());
    }
    return files;
}

Result<> check_unchanged(const std::vector<FileStamp>& files, const char* since) {
    for (const FileStamp& stamp : files) {
        if (FileStamp::of(stamp.path) == stamp) continue;
        return fail(ErrorCode::kUnavailable, stamp.path.string() + " has changed since " + since);
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<engine::Graph>> Graph::open(std::shared_ptr<ov::Core> core,
                                                   const fs::path& path,
                                                   std::string platform,
                                                   const engine::OpenOptions& options) {
    auto plan = std::make_shared<Plan>();
    // Taken before the model is read, so that a change while it is read counts as a change.
    for (const fs::path& file : files_of(path)) plan->files.push_back(FileStamp::of(file));
    plan->core = std::move(core);
    plan->options = options;
    LEPTON_TRY(const std::shared_ptr<ov::Model> model,
               read_with_shapes(*plan->core, path, options));
    LEPTON_RETURN_IF_ERROR(check_unchanged(plan->files, "it began to be read"));
    const std::string file = path.string();
    const auto named = [&](Error error) {
        error.message = file + ": " + error.message;
        return error;
    };
    LEPTON_TRY(std::vector<TensorSpec> inputs, input_specs(*model).map_error(named));
    LEPTON_TRY(std::vector<TensorSpec> outputs, output_specs(*model).map_error(named));
    LEPTON_TRY(plan->shapes, ShapeGuard::make(*model).map_error(named));
    plan->keeps_state = !model->get_variables().empty();
    std::string defect;
    if (auto held = check_constants(*model); !held) defect = std::move(held).error().message;
    LEPTON_TRY(Computed computed, computed_part(*model).map_error(named));
    plan->outputs = std::move(computed.outputs);
    plan->faults = std::move(computed.faults);
    auto source =
        std::make_shared<const Source>(Source{plan->core, model, file, options.cache_dir});
    std::unique_ptr<Graph> graph(new Graph(std::move(source),
                                           std::move(plan),
                                           std::move(platform),
                                           std::move(inputs),
                                           std::move(outputs)));
    graph->defect_ = std::move(defect);
    return graph;
}

Result<std::shared_ptr<const Source>> read_again(const Plan& plan) {
    const fs::path& path = plan.files.front().path;
    LEPTON_TRY(const std::shared_ptr<ov::Model> model,
               read_with_shapes(*plan.core, path, plan.options));
    LEPTON_RETURN_IF_ERROR(check_unchanged(plan.files, "the model was loaded"));
    LEPTON_RETURN_IF_ERROR(computed_part(*model));
    return std::make_shared<const Source>(
        Source{plan.core, model, path.string(), plan.options.cache_dir});
}

Result<> Graph::prove_rows(std::span<const Shape> inputs) {
    LEPTON_TRY(const auto facts, plan_->shapes->facts_of_rows(inputs));
    if (facts->dependence.empty()) return {};
    return fail(ErrorCode::kUnsupported, facts->dependence);
}

Result<std::unique_ptr<engine::Session>> Graph::make_session(
    const engine::SessionOptions& options) {
    if (options.threads < 1) {
        return fail(ErrorCode::kInvalidArgument,
                    "threads is " + std::to_string(options.threads) + ", at least 1 is needed");
    }
    const bool batches = options.batches && has_batch_axis(inputs_, outputs_);
    // Only trying tells whether one row count fixes every shape.
    std::shared_ptr<const ov::Model> one_row = source_->model;
    if (batches) {
        if (auto reshaped = with_rows(*source_, 1)) one_row = *std::move(reshaped);
    }
    const StringContent strings =
        has_tokenizers(*source_->model) ? StringContent::kUtf8 : StringContent::kBytes;
    const SessionContext context{source_, plan_, options, batches, strings, inputs_, outputs_};
    if (!has_open_shapes(*one_row)) return StaticSession::make(context, std::move(one_row));
    return DynamicSession::make(context);
}

}  // namespace lepton::openvino
