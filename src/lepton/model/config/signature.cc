#include "lepton/model/config/signature.h"

#include <algorithm>

namespace lepton::model {
namespace {

std::string quoted_names(const std::vector<TensorSpec>& specs) {
    std::string names;
    for (const TensorSpec& spec : specs)
        names += (names.empty() ? "\"" : ", \"") + spec.name + "\"";
    return names;
}

bool starts_with_any_extent(const std::vector<TensorSpec>& specs) {
    return !specs.empty() && std::all_of(specs.begin(), specs.end(), [](const TensorSpec& spec) {
        return !spec.shape.empty() && spec.shape[0] < 0;
    });
}

Shape with_batch_axis(const Shape& dims) {
    Shape whole{-1};
    for (const std::int64_t dim : dims) whole.push_back(dim);
    return whole;
}

// One tensor. The result is the shape that both sides together leave.
Result<Shape> check_tensor(const TensorConfig& config,
                           const std::vector<TensorSpec>& specs,
                           const std::string& direction,
                           bool batch_axis) {
    const std::string what = direction + " \"" + config.name + "\"";
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& candidate) {
        return candidate.name == config.name;
    });
    if (spec == specs.end()) {
        return fail(ErrorCode::kInvalidArgument,
                    "config.pbtxt names " + what + ", the model has " + quoted_names(specs));
    }
    if (config.dtype && *config.dtype != spec->dtype) {
        return fail(ErrorCode::kInvalidArgument,
                    what + " is " + std::string(to_string(*config.dtype)) +
                        " in config.pbtxt and " + std::string(to_string(spec->dtype)) +
                        " in the model");
    }
    if (!config.dims) return spec->shape;
    Shape whole = batch_axis ? with_batch_axis(*config.dims) : *config.dims;
    bool fits = whole.rank() == spec->shape.rank();
    for (std::size_t i = 0; fits && i < whole.rank(); ++i) {
        fits = spec->shape[i] < 0 || spec->shape[i] == whole[i];
    }
    if (!fits) {
        return fail(ErrorCode::kInvalidArgument,
                    what + " has shape " + to_string(whole) + " in config.pbtxt" +
                        (batch_axis ? ", batch axis included," : "") + " and " +
                        to_string(spec->shape) + " in the model");
    }
    return whole;
}

}  // namespace

bool has_batch_axis(const engine::Graph& graph) {
    return starts_with_any_extent(graph.inputs()) && starts_with_any_extent(graph.outputs());
}

Result<std::vector<std::pair<std::string, Shape>>> check_signature(const engine::Graph& graph,
                                                                   const ModelConfig& config) {
    std::vector<std::pair<std::string, Shape>> fixed;
    for (const TensorConfig& input : config.inputs) {
        LEPTON_TRY(const Shape shape,
                   check_tensor(input, graph.inputs(), "input", config.dims_of_rows));
        const auto spec = std::find_if(graph.inputs().begin(),
                                       graph.inputs().end(),
                                       [&](const auto& in) { return in.name == input.name; });
        if (!(shape == spec->shape)) fixed.emplace_back(input.name, shape);
    }
    for (const TensorConfig& output : config.outputs) {
        LEPTON_RETURN_IF_ERROR(
            check_tensor(output, graph.outputs(), "output", config.dims_of_rows));
    }
    if (config.max_batch_size.value_or(0) > 0 && !has_batch_axis(graph)) {
        return fail(ErrorCode::kInvalidArgument,
                    "config.pbtxt says max_batch_size " + std::to_string(*config.max_batch_size) +
                        ", but axis 0 of the model's tensors is not open to any number of rows");
    }
    return fixed;
}

}  // namespace lepton::model
