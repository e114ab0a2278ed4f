// Matches any request against any model, and does the arithmetic of rows, padding and answers that
// follows. A request that matches must have the bytes that its shapes say, and rows within their
// bounds.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/numbers.h"
#include "lepton/model/match_request.h"
#include "lepton/model/padding.h"
#include "lepton/scheduler/answer_bound.h"

namespace lepton::scheduler {
namespace {

using fuzz::Numbers;

constexpr std::string_view kNames[] = {"a", "b", "c", ""};

void require(bool condition) {
    if (!condition) std::abort();
}

DataType data_type(Numbers& numbers) {
    return static_cast<DataType>(numbers.below(static_cast<std::size_t>(DataType::kBytes) + 1));
}

Shape shape_of(Numbers& numbers, std::size_t rank) {
    Shape shape;
    for (std::size_t i = 0; i < rank; ++i) shape.push_back(numbers.extent());
    return shape;
}

// As loading guarantees: open extents are -1, and if rows are counted each tensor has them.
TensorSpec tensor_of(Numbers& numbers, std::string_view name, bool batches) {
    TensorSpec spec;
    spec.name = name;
    spec.dtype = data_type(numbers);
    spec.shape = shape_of(numbers, 1 + numbers.below(4));
    for (std::size_t i = 0; i < spec.shape.rank(); ++i) {
        if (spec.shape[i] < -1) spec.shape[i] = -1;
    }
    if (batches) spec.shape[0] = -1;
    return spec;
}

ModelSpec model_of(Numbers& numbers) {
    ModelSpec spec;
    spec.name = "m";
    spec.batches = numbers.below(2) == 0;
    spec.max_batch_size = static_cast<std::int64_t>(numbers.below(9));
    for (std::size_t i = 0; i < 1 + numbers.below(3); ++i) {
        spec.inputs.push_back(tensor_of(numbers, kNames[i], spec.batches));
    }
    for (std::size_t i = 0; i < 1 + numbers.below(3); ++i) {
        spec.outputs.push_back(tensor_of(numbers, kNames[i], spec.batches));
    }
    if (numbers.below(2) == 0) spec.pad_to = {2, 5, 1024};
    return spec;
}

void check_matched(const ModelSpec& spec, const InferCall& call, Numbers& numbers) {
    require(call.request.inputs.size() == spec.inputs.size());
    require(call.rows >= 1 && call.rows <= std::int64_t{1} << 20);
    require(!spec.batches || spec.max_batch_size == 0 || call.rows <= spec.max_batch_size);
    for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
        const InputTensor& input = call.request.inputs[i];
        require(input.name == spec.inputs[i].name && input.tensor.dtype == spec.inputs[i].dtype);
        const auto elements = input.tensor.shape.element_count();
        require(elements.has_value());
        const std::size_t size = element_bytes(input.tensor.dtype);
        require(size == 0 ||
                static_cast<std::size_t>(*elements) * size == input.tensor.data.size());
        const model::Padding padding = model::padding_of(spec, call.request);
        require(padding.from <= padding.to);
        const Shape wide = model::padded(input.tensor.shape, spec.inputs[i].shape, padding);
        require(wide.rank() == input.tensor.shape.rank());
    }
    const AnswerBound bound(spec, numbers.byte());
    (void)bound.check(call.request, call.rows);
    const std::vector<std::size_t> sizes(spec.outputs.size(),
                                         static_cast<std::size_t>(numbers.extent()));
    const std::int64_t computed = 1 + numbers.byte();
    (void)bound.check(call.request, sizes, computed, call.rows);
    (void)bound.check_run(sizes, 1 + numbers.below(4));
}

void run(std::span<const std::uint8_t> input) {
    static const std::vector<std::byte> zeros(1 << 16);
    Numbers numbers(input);
    const ModelSpec spec = model_of(numbers);
    InferCall call;
    while (!numbers.empty() && call.request.inputs.size() < 5) {
        TensorView view;
        const std::string_view name = kNames[numbers.below(4)];
        view.dtype = data_type(numbers);
        // Half of the time it is what the model takes, so that some requests match.
        const std::uint8_t how = numbers.byte();
        for (const TensorSpec& spec_of : spec.inputs) {
            if (spec_of.name == name && how % 4 != 0) view.dtype = spec_of.dtype;
        }
        view.shape = shape_of(numbers, 1 + numbers.below(4));
        for (const TensorSpec& wanted : spec.inputs) {
            if (wanted.name != name || how % 8 < 2) continue;
            view.shape = wanted.shape;
            for (std::size_t i = 0; i < wanted.shape.rank(); ++i) {
                if (wanted.shape[i] < 0) view.shape[i] = numbers.extent();
            }
        }
        const std::size_t elements =
            static_cast<std::size_t>(view.shape.element_count().value_or(numbers.byte()));
        const std::size_t bytes = elements * element_bytes(view.dtype);
        view.data =
            std::span(zeros).first(how % 16 == 15 ? numbers.byte() : std::min(bytes, zeros.size()));
        call.request.inputs.push_back({name, view});
    }
    if (numbers.below(2) == 0) call.request.outputs.push_back({kNames[numbers.below(4)], {}});
    const auto matched = model::match_request(spec, call);
    if (!matched) return require(!matched.error().message.empty());
    check_matched(spec, call, numbers);
}

}  // namespace
}  // namespace lepton::scheduler

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lepton::scheduler::run({data, size});
    return 0;
}
