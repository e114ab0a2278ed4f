#include <algorithm>
#include <cstdint>
#include <cstring>

#include "exchange.h"
#include "lepton/core/check.h"

namespace lepton::client {
namespace {

std::size_t alignment_of(DataType type) {
    return std::max<std::size_t>(1, element_bytes(type));  // BYTES are read byte by byte.
}

}  // namespace

void align_outputs(InferResult::Contents& contents) {
    const auto aligned = [](const Output& output) {
        return reinterpret_cast<std::uintptr_t>(output.data.data()) % alignment_of(output.dtype) ==
               0;
    };
    auto& outputs = contents.outputs;
    if (std::all_of(outputs.begin(), outputs.end(), aligned)) return;
    // From last to first, each moves up by kOutputAlignment for every output before it, so that
    // none is overwritten before it was moved.
    for (std::size_t i = outputs.size(); i-- > 0;) {
        Output& output = outputs[i];
        if (output.data.empty()) {
            output.data = {contents.bytes.data(), 0};
            continue;
        }
        const std::size_t from =
            static_cast<std::size_t>(output.data.data() - contents.bytes.data()) +
            i * kOutputAlignment;
        const std::size_t to = (from + kOutputAlignment - 1) & ~(kOutputAlignment - 1);
        LEPTON_CHECK(to + output.data.size() <= contents.bytes.capacity());
        std::memmove(contents.bytes.data() + to, output.data.data(), output.data.size());
        output.data = {contents.bytes.data() + to, output.data.size()};
        contents.bytes.resize(std::max(contents.bytes.size(), to + output.data.size()));
    }
}

}  // namespace lepton::client
