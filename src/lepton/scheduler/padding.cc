#include "lepton/scheduler/padding.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace lepton::scheduler {
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

std::size_t elements(std::span<const std::int64_t> dims) {
    std::size_t count = 1;
    for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
    return count;
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

void copy_common(std::span<const std::byte> from,
                 const Shape& from_shape,
                 std::span<std::byte> to,
                 const Shape& to_shape,
                 std::size_t element_bytes) {
    if (from_shape == to_shape) {
        std::copy(from.begin(), from.end(), to.begin());
        return;
    }
    std::size_t axis = 0;  // The last one that differs; behind it, all is one block.
    for (std::size_t i = 0; i < from_shape.rank(); ++i) {
        if (from_shape[i] != to_shape[i]) axis = i;
    }
    std::fill(to.begin(), to.end(), std::byte{0});
    const std::size_t block = elements(from_shape.dims().subspan(axis + 1)) * element_bytes;
    const auto extent = static_cast<std::size_t>(std::min(from_shape[axis], to_shape[axis]));
    const auto outer = from_shape.dims().first(axis);
    std::array<std::int64_t, Shape::kMaxRank> at{};
    for (std::size_t done = elements(outer); done > 0; --done) {
        std::size_t source = 0;
        std::size_t target = 0;
        bool common = true;
        for (std::size_t i = 0; i < axis; ++i) {
            source =
                source * static_cast<std::size_t>(from_shape[i]) + static_cast<std::size_t>(at[i]);
            target =
                target * static_cast<std::size_t>(to_shape[i]) + static_cast<std::size_t>(at[i]);
            common = common && at[i] < to_shape[i];
        }
        source *= static_cast<std::size_t>(from_shape[axis]) * block;
        target *= static_cast<std::size_t>(to_shape[axis]) * block;
        if (common && extent * block > 0) {
            std::memcpy(to.data() + target, from.data() + source, extent * block);
        }
        for (std::size_t i = axis; i > 0; --i) {
            if (++at[i - 1] < from_shape[i - 1]) break;
            at[i - 1] = 0;
        }
    }
}

}  // namespace lepton::scheduler
