#include "model_inputs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <random>

namespace lepton::bench {
namespace {

constexpr std::int64_t kMostElements = std::int64_t{1} << 28;

tl::unexpected<Error> bad(std::string message) {
    return fail(ErrorCode::kInvalidArgument, std::move(message));
}

template <class T>
void append(std::vector<std::byte>& data, T value) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(&value);
    data.insert(data.end(), bytes, bytes + sizeof value);
}

void append_words(std::vector<std::byte>& data, std::mt19937_64& random) {
    constexpr std::array<std::string_view, 8> kWords{
        "the ", "light ", "small ", "river ", "runs ", "quick ", "over ", "seven "};
    constexpr std::size_t kWordsEach = 6;
    std::string text;
    for (std::size_t i = 0; i < kWordsEach; ++i) text += kWords[random() % kWords.size()];
    text.pop_back();
    append(data, static_cast<std::uint32_t>(text.size()));
    for (const char c : text) data.push_back(static_cast<std::byte>(c));
}

void append_element(std::vector<std::byte>& data, DataType dtype, std::mt19937_64& random) {
    const std::uint64_t bits = random();
    // A float holds 24 bits exactly: [-1, 1).
    const float number = static_cast<float>(bits >> 40) * 0x1p-23F - 1.0F;
    switch (dtype) {
        case DataType::kFp32:
            append(data, number);
            break;
        case DataType::kFp64:
            append(data, static_cast<double>(number));
            break;
        case DataType::kFp16:  // Random sign and mantissa, in [0.5, 1).
            append(data, static_cast<std::uint16_t>(0x3800U | (bits & 0x83ffU)));
            break;
        case DataType::kBf16:
            append(data, static_cast<std::uint16_t>(0x3f00U | (bits & 0x807fU)));
            break;
        case DataType::kBytes:
            append_words(data, random);
            break;
        default: {
            const std::uint64_t integer = bits & 1U;
            const std::size_t size = element_bytes(dtype);
            data.push_back(static_cast<std::byte>(integer));  // Little-endian.
            data.insert(data.end(), size - 1, std::byte{0});
        }
    }
}

Result<Shape> shape_of(const TensorSpec& input, const InputOptions& options) {
    const std::string of_input = "input " + input.name + " takes " + to_string(input.shape);
    for (const auto& [name, shape] : options.shapes) {
        if (name != input.name) continue;
        if (!input.shape.accepts(shape)) {
            return bad(of_input + ", not " + to_string(shape) + " as --shape says");
        }
        return shape;
    }
    Shape shape = input.shape;
    if (!shape.empty() && shape[0] < 0) shape[0] = std::max<std::int64_t>(options.rows, 1);
    if (options.rows > 0 && (shape.empty() || shape[0] != options.rows)) {
        return bad(of_input + ": its rows are not to be chosen; leave --rows away");
    }
    if (!shape.is_static()) {
        return bad(of_input + "; say what the -1 are, e.g. --shape " + input.name + ":1,16");
    }
    return shape;
}

}  // namespace

Result<std::pair<std::string, Shape>> parse_shape(std::string_view text) {
    const auto wrong = [text] {
        return bad("shape \"" + std::string(text) + "\" is not NAME:EXTENT,EXTENT,...");
    };
    const std::size_t colon = text.rfind(':');
    if (colon == text.npos || colon == 0) return wrong();
    std::pair<std::string, Shape> parsed{std::string(text.substr(0, colon)), {}};
    const char* at = text.data() + colon + 1;
    const char* const end = text.data() + text.size();
    while (true) {
        std::int64_t extent = 0;
        const auto number = std::from_chars(at, end, extent);
        if (number.ec != std::errc() || extent < 0 || !parsed.second.push_back(extent)) {
            return wrong();
        }
        if (number.ptr == end) return parsed;
        if (*number.ptr != ',') return wrong();
        at = number.ptr + 1;
    }
}

Result<ModelInputs> ModelInputs::make(const ModelInfo& model, const InputOptions& options) {
    for (const auto& [name, shape] : options.shapes) {
        const bool known = std::any_of(model.inputs.begin(),
                                       model.inputs.end(),
                                       [&](const TensorSpec& spec) { return spec.name == name; });
        if (known) continue;
        std::string message = "model " + model.name + " has no input " + name + "; it has:";
        for (const TensorSpec& spec : model.inputs) message.append(" ").append(spec.name);
        return bad(std::move(message));
    }
    std::mt19937_64 random(options.seed);
    ModelInputs made;
    made.tensors_.reserve(model.inputs.size());
    for (const TensorSpec& input : model.inputs) {
        LEPTON_TRY(const Shape shape, shape_of(input, options));
        const auto count = shape.element_count();
        if (!count || *count > kMostElements) {
            return bad("input " + input.name + " of " + to_string(shape) + " has more than " +
                       std::to_string(kMostElements) + " elements");
        }
        Tensor& tensor = made.tensors_.emplace_back(Tensor{input.name, input.dtype, shape, {}});
        tensor.data.reserve(static_cast<std::size_t>(*count) * element_bytes(input.dtype));
        for (std::int64_t i = 0; i < *count; ++i) append_element(tensor.data, input.dtype, random);
    }
    return made;
}

void ModelInputs::put_into(InferRequest& request) const {
    request.inputs.clear();
    request.inputs.reserve(tensors_.size());
    for (const Tensor& tensor : tensors_) {
        request.inputs.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.data});
    }
}

std::size_t ModelInputs::bytes() const {
    std::size_t bytes = 0;
    for (const Tensor& tensor : tensors_) bytes += tensor.data.size();
    return bytes;
}

}  // namespace lepton::bench
