#include "lepton/model/match_request.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lepton/model/padding.h"
#include "lepton/model/value_range.h"

namespace lepton::model {
namespace {

// Most rows of a request where no max_batch_size says it: some 65,000 runs in pieces, of which each
// asks again whether somebody still waits for it. Data bound the rows long before in most requests.
constexpr std::int64_t kMostRows = std::int64_t{1} << 20;
// A row without bytes costs its sender nothing.
constexpr std::int64_t kMostEmptyRows = 1024;
// Product of the other extents of a tensor without elements, which no data bound, so that nothing
// that is computed from them overflows.
constexpr std::int64_t kMostAroundNothing = std::int64_t{1} << 31;

std::string names_of(const std::vector<TensorSpec>& tensors) {
    std::string names;
    for (const TensorSpec& tensor : tensors) {
        if (!names.empty()) names += ", ";
        names.append("\"").append(tensor.name).append("\"");
    }
    return names;
}

tl::unexpected<Error> refuse(std::string_view what, std::string_view name, std::string_view why) {
    std::string message(what);
    message.append(" \"").append(name).append("\" ").append(why);
    return fail(ErrorCode::kInvalidArgument, std::move(message));
}

// Puts the input called spec.name at `index`. The request's order is usually the model's.
Result<> place_input(const ModelSpec& spec, Request& request, std::size_t index) {
    const auto first = request.inputs.begin() + static_cast<std::ptrdiff_t>(index);
    const auto found = std::find_if(first, request.inputs.end(), [&](const InputTensor& input) {
        return input.name == spec.inputs[index].name;
    });
    if (found == request.inputs.end()) {
        if (request.inputs.empty()) {
            return fail(ErrorCode::kInvalidArgument,
                        "the request has no inputs; model \"" + spec.name + "\" takes " +
                            names_of(spec.inputs));
        }
        return refuse("input",
                      spec.inputs[index].name,
                      "is missing; model \"" + spec.name + "\" takes " + names_of(spec.inputs));
    }
    if (found != first) std::swap(*first, *found);
    return {};
}

// The engine would take what it cannot hold, and compute with something else.
Result<> check_values(const ModelSpec& spec, const TensorSpec& wanted, const TensorView& tensor) {
    if (!wanted.computed_as) return {};
    const auto misfit = find_misfit(tensor.data, wanted.dtype, *wanted.computed_as);
    if (!misfit) [[likely]]
        return {};
    return refuse("input",
                  wanted.name,
                  "has " + misfit->value + " as element " + std::to_string(misfit->element) +
                      "; the engine of model \"" + spec.name + "\" computes " +
                      std::string(to_string(wanted.dtype)) + " in " +
                      std::string(to_string(*wanted.computed_as)) + ", which holds " +
                      misfit->bounds);
}

// The rows of a tensor without elements.
bool is_bounded(const Shape& shape) {
    std::int64_t product = 1;
    return std::all_of(shape.begin(), shape.end(), [&product](std::int64_t extent) {
        return extent == 0 || (!__builtin_mul_overflow(product, extent, &product) &&
                               product <= kMostAroundNothing);
    });
}

Result<> check_input(const ModelSpec& spec, const TensorSpec& wanted, const TensorView& tensor) {
    if (tensor.dtype != wanted.dtype) [[unlikely]] {
        return refuse("input",
                      wanted.name,
                      "has datatype " + std::string(to_string(tensor.dtype)) + ", model \"" +
                          spec.name + "\" takes " + std::string(to_string(wanted.dtype)));
    }
    if (!wanted.shape.accepts(tensor.shape)) [[unlikely]] {
        return refuse("input",
                      wanted.name,
                      "has shape " + to_string(tensor.shape) + ", model \"" + spec.name +
                          "\" takes " + to_string(wanted.shape));
    }
    const auto elements = tensor.shape.element_count();
    const std::size_t size = element_bytes(wanted.dtype);
    std::int64_t bytes = 0;
    if (!elements || __builtin_mul_overflow(*elements, static_cast<std::int64_t>(size), &bytes) ||
        (*elements == 0 && !is_bounded(tensor.shape))) [[unlikely]] {
        return refuse("input",
                      wanted.name,
                      "has shape " + to_string(tensor.shape) + ", which no tensor can have");
    }
    if (size != 0 && static_cast<std::size_t>(bytes) != tensor.data.size()) [[unlikely]] {
        return refuse("input",
                      wanted.name,
                      "has " + std::to_string(tensor.data.size()) + " bytes of data, shape " +
                          to_string(tensor.shape) + " needs " + std::to_string(bytes));
    }
    return check_values(spec, wanted, tensor);
}

bool has_data(const Request& request) {
    return std::any_of(request.inputs.begin(), request.inputs.end(), [](const InputTensor& input) {
        return !input.tensor.data.empty();
    });
}

Result<> count_rows(const ModelSpec& spec, InferCall& call) {
    call.rows = 1;
    if (!spec.batches) return {};
    call.rows = call.request.inputs.front().tensor.shape[0];
    for (const InputTensor& input : call.request.inputs) {
        if (input.tensor.shape[0] != call.rows) {
            return refuse("input",
                          input.name,
                          "has " + std::to_string(input.tensor.shape[0]) + " rows, input \"" +
                              std::string(call.request.inputs.front().name) + "\" has " +
                              std::to_string(call.rows));
        }
    }
    if (call.rows < 1) {
        return refuse(
            "input", call.request.inputs.front().name, "has no rows, at least 1 is needed");
    }
    std::int64_t most = spec.max_batch_size > 0 ? spec.max_batch_size : kMostRows;
    const bool empty = !has_data(call.request);
    if (empty) most = std::min(most, kMostEmptyRows);
    if (call.rows > most) {
        return refuse("input",
                      call.request.inputs.front().name,
                      "has " + std::to_string(call.rows) + " rows, model \"" + spec.name +
                          "\" allows at most " + std::to_string(most) +
                          (empty ? " without data" : ""));
    }
    return {};
}

// FNV-1a over the extents that are not the batch axis, as they will be run; and what a row of that
// shape takes. Where no axis counts rows, the whole request is the one row: its first axis says as
// much about how long it takes as the others.
void classify(const ModelSpec& spec, InferCall& call) {
    const Padding padding = padding_of(spec, call.request);
    const std::size_t first_axis = spec.batches ? 1 : 0;
    std::uint64_t hash = 14695981039346656037U;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
        const TensorView& tensor = call.request.inputs[i].tensor;
        const Shape shape = padded(tensor.shape, spec.inputs[i].shape, padding);
        std::size_t row = element_bytes(tensor.dtype);
        for (std::size_t axis = first_axis; axis < shape.rank(); ++axis) {
            hash = (hash ^ static_cast<std::uint64_t>(shape[axis])) * 1099511628211U;
            row *= static_cast<std::size_t>(shape[axis]);
        }
        // Strings have no size by their shape; a batch of them is taken for equal ones.
        if (row == 0) row = tensor.data.size() / static_cast<std::size_t>(call.rows);
        bytes += row;
    }
    call.shape_class = hash;
    call.row_bytes = bytes;
}

Result<> check_outputs(const ModelSpec& spec, const Request& request) {
    for (auto at = request.outputs.begin(); at != request.outputs.end(); ++at) {
        const RequestedOutput& wanted = *at;
        const auto known = std::any_of(
            spec.outputs.begin(), spec.outputs.end(), [&wanted](const TensorSpec& output) {
                return output.name == wanted.name;
            });
        if (!known) {
            return refuse(
                "output",
                wanted.name,
                "is unknown; model \"" + spec.name + "\" gives " + names_of(spec.outputs));
        }
        // This also bounds their number by the model's.
        if (std::any_of(request.outputs.begin(), at, [&wanted](const RequestedOutput& before) {
                return before.name == wanted.name;
            })) {
            return refuse("output", wanted.name, "is requested twice");
        }
    }
    return {};
}

}  // namespace

Result<> match_request(const ModelSpec& spec, InferCall& call) {
    Request& request = call.request;
    if (!spec.defect.empty()) [[unlikely]] {
        return fail(ErrorCode::kUnsupported, "model \"" + spec.name + "\": " + spec.defect);
    }
    for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
        LEPTON_RETURN_IF_ERROR(place_input(spec, request, i));
        LEPTON_RETURN_IF_ERROR(check_input(spec, spec.inputs[i], request.inputs[i].tensor));
    }
    if (request.inputs.size() > spec.inputs.size()) {
        return refuse(
            "input",
            request.inputs[spec.inputs.size()].name,
            "is unknown or repeated; model \"" + spec.name + "\" takes " + names_of(spec.inputs));
    }
    LEPTON_RETURN_IF_ERROR(check_outputs(spec, request));
    LEPTON_RETURN_IF_ERROR(count_rows(spec, call));
    classify(spec, call);
    return {};
}

}  // namespace lepton::model
