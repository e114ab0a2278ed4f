#include "lepton/memory/tensor_copy.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace lepton::memory {
namespace {

std::size_t elements(std::span<const std::int64_t> dims) {
    std::size_t count = 1;
    for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
    return count;
}

}  // namespace

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

std::size_t bytes_of_elements(std::span<const std::byte> data, std::int64_t count) {
    std::size_t offset = 0;
    for (; count > 0; --count) {
        std::uint32_t length = 0;
        std::memcpy(&length, data.data() + offset, sizeof length);
        offset += sizeof length + length;
    }
    return offset;
}

}  // namespace lepton::memory
