#include "lepton/core/response.h"

#include <cstddef>
#include <cstring>

#include "lepton/core/check.h"

namespace lepton {
namespace {

// Elements of any datatype are read in place, by vector instructions too.
std::size_t aligned(std::size_t bytes) {
    return (bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

}  // namespace

void Response::keep() {
    if (storage != nullptr) return;
    std::size_t bytes = 0;
    for (const OutputTensor& output : outputs) bytes += aligned(output.tensor.data.size());
    if (bytes == 0) return;
    LEPTON_CHECK(memory != nullptr);
    storage = memory->take(bytes);
    std::byte* next = storage.get();
    for (OutputTensor& output : outputs) {
        const std::size_t size = output.tensor.data.size();
        if (size > 0) std::memcpy(next, output.tensor.data.data(), size);
        output.tensor.data = {next, size};
        next += aligned(size);
    }
}

void Response::clear() {
    model.reset();
    outputs.clear();
    error.reset();
    storage.reset();
}

}  // namespace lepton
