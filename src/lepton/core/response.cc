#include "lepton/core/response.h"

#include <cstddef>
#include <cstring>

#include "lepton/core/check.h"

namespace lepton {

void Response::keep() {
    if (storage != nullptr) return;
    std::size_t bytes = 0;
    for (const OutputTensor& output : outputs) {
        LEPTON_CHECK(output.tensor.memory == MemoryKind::kHost);
        bytes += aligned_tensor(output.tensor.data.size());
    }
    if (bytes == 0) return;
    LEPTON_CHECK(memory != nullptr);
    storage = memory->take(bytes);
    std::byte* next = storage.get();
    for (OutputTensor& output : outputs) {
        const std::size_t size = output.tensor.data.size();
        if (size > 0) std::memcpy(next, output.tensor.data.data(), size);
        output.tensor.data = {next, size};
        next += aligned_tensor(size);
    }
}

void Response::clear() {
    model.reset();
    outputs.clear();
    error.reset();
    storage.reset();
}

}  // namespace lepton
