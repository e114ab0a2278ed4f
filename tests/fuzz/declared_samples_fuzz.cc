// Reads any bytes as a file of model_warmup, for inputs of any datatype and shape. An accepted
// input must hold as many bytes as its shape says.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <utility>

#include "fuzz/numbers.h"
#include "lepton/model/warm_up/declared_samples.h"
#include "support/temp_folder.h"

namespace lepton::model {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void run(std::span<const std::uint8_t> input) {
    static const testing::TempFolder folder;
    constexpr std::size_t kHead = 16;  // These bytes describe the input; the others are the file.
    if (input.size() < kHead) return;
    fuzz::Numbers numbers(input.first(kHead));
    WarmUpSample sample;
    sample.name = "s";
    WarmUpSample::Input tensor;
    tensor.name = "x";
    tensor.dtype =
        static_cast<DataType>(numbers.below(static_cast<std::size_t>(DataType::kBytes) + 1));
    for (std::size_t i = 0; i < numbers.below(5); ++i) tensor.dims.push_back(numbers.extent());
    tensor.content = static_cast<WarmUpSample::Content>(numbers.below(3));
    constexpr const char* kFiles[] = {"file", "../file", "/etc/passwd", "", "none", "."};
    // Random elements up to the bound on a sample take seconds, longer than one input may.
    constexpr std::int64_t kMostRandom = 1 << 20;
    Shape shape;
    for (const std::int64_t dim : tensor.dims) shape.push_back(dim);
    const bool is_long = shape.element_count().value_or(0) > kMostRandom;
    if (is_long && tensor.content == WarmUpSample::Content::kRandom) {
        tensor.content = WarmUpSample::Content::kZero;
    }
    tensor.file = kFiles[numbers.byte() < 200 ? 0 : numbers.below(6)];
    // Within the range of the configuration's field, which has 32 bits without a sign.
    sample.batch_size = std::clamp<std::int64_t>(numbers.extent(), 1, 0xffff'ffff);
    sample.inputs.push_back(std::move(tensor));
    const std::int64_t max_batch_size = numbers.byte() / 128 * 8;
    const bool dims_of_rows = max_batch_size > 0;
    const auto rest = std::as_bytes(input.subspan(kHead));
    folder.write("file", {reinterpret_cast<const char*>(rest.data()), rest.size()});
    auto samples = read_samples({&sample, 1}, folder.path(), dims_of_rows, max_batch_size);
    if (!samples) return require(!samples.error().message.empty());
    for (const DeclaredSample::Input& read : samples->front().inputs) {
        const auto elements = read.shape.element_count();
        require(elements.has_value());
        if (read.dtype != DataType::kBytes) {
            require(read.data.size() ==
                    static_cast<std::size_t>(*elements) * element_bytes(read.dtype));
        }
    }
    (void)digest_of(*samples);
    (void)count_rows(*samples);
}

}  // namespace
}  // namespace lepton::model

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lepton::model::run({data, size});
    return 0;
}
