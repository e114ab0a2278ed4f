#include "lepton/model/padding.h"

#include <algorithm>
#include <optional>

namespace lepton::model {
namespace {

bool is_open(const Shape& signature, std::size_t axis) {
    return axis > 0 && axis < signature.rank() && signature[axis] < 0;
}

// The one that all open axes share.
std::optional<std::int64_t> open_extent(const ModelSpec& spec, const Request& request) {
    std::optional<std::int64_t> found;
    for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
        const Shape& shape = request.inputs[i].tensor.shape;
        for (std::size_t axis = 1; axis < shape.rank(); ++axis) {
            if (!is_open(spec.inputs[i].shape, axis)) continue;
            if (found.value_or(shape[axis]) != shape[axis]) return std::nullopt;
            found = shape[axis];
        }
    }
    return found;
}

}  // namespace

Padding padding_of(const ModelSpec& spec, const Request& request) {
    if (spec.pad_to.empty() || !spec.batches) return {};
    const std::optional<std::int64_t> extent = open_extent(spec, request);
    if (!extent) return {};
    const auto to = std::lower_bound(spec.pad_to.begin(), spec.pad_to.end(), *extent);
    if (to == spec.pad_to.end()) return {};
    return {*extent, *to};
}

Shape padded(const Shape& shape, const Shape& signature, const Padding& padding) {
    Shape result = shape;
    for (std::size_t axis = 1; axis < shape.rank(); ++axis) {
        if (is_open(signature, axis) && shape[axis] == padding.from) result[axis] = padding.to;
    }
    return result;
}

}  // namespace lepton::model
