#include "lepton/core/request.h"

#include <cstring>

#include "lepton/core/check.h"

namespace lepton {
namespace {

template <class Visit>
void for_each_text(Request& request, const Visit& visit) {
    visit(request.model_name);
    visit(request.model_version);
    visit(request.id);
    // NOLINTBEGIN(misc-const-correctness): `visit` may change them.
    for (InputTensor& input : request.inputs) visit(input.name);
    for (RequestedOutput& output : request.outputs) visit(output.name);
    // NOLINTEND(misc-const-correctness)
    for (Parameter& parameter : request.parameters) {
        visit(parameter.name);
        if (auto* const text = std::get_if<std::string_view>(&parameter.value)) visit(*text);
    }
}

}  // namespace

void Request::keep(TensorMemory& memory) {
    if (storage != nullptr) return;
    std::size_t bytes = 0;
    for (const InputTensor& input : inputs) {
        LEPTON_CHECK(input.tensor.memory == MemoryKind::kHost);
        bytes += aligned_tensor(input.tensor.data.size());
    }
    for_each_text(*this, [&bytes](std::string_view text) { bytes += text.size(); });
    if (bytes == 0) return;
    storage = memory.take(bytes);
    std::byte* next = storage.get();
    const auto move = [&next](const void* data, std::size_t size) {
        std::byte* const to = next;
        if (size > 0) std::memcpy(to, data, size);
        return to;
    };
    for (InputTensor& input : inputs) {
        const std::size_t size = input.tensor.data.size();
        input.tensor.data = {move(input.tensor.data.data(), size), size};
        next += aligned_tensor(size);
    }
    for_each_text(*this, [&](std::string_view& text) {
        text = {reinterpret_cast<const char*>(move(text.data(), text.size())), text.size()};
        next += text.size();
    });
}

void Request::clear() {
    model_name = model_version = id = {};
    inputs.clear();
    outputs.clear();
    parameters.clear();
    binary_data_output = false;
    deadline = kNoDeadline;
    priority = 0;
    storage.reset();
}

}  // namespace lepton
