#include "lepton/model/warm_up/declared_samples.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "lepton/memory/buffer_pool.h"
#include "lepton/memory/tensor_copy.h"
#include "lepton/model/model_digest.h"
#include "lepton/model/warm_up/sample_data.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

// The maximum of all samples of a model together, and of one input with all its rows.
constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr std::size_t kLengthBytes = 4;  // Before each element of kBytes.

tl::unexpected<Error> refuse(const std::string& what, const std::string& why) {
    return fail(ErrorCode::kInvalidArgument, what + " " + why);
}

std::string name_of(const WarmUpSample& sample, std::size_t index) {
    if (sample.name.empty()) return "warm-up sample " + std::to_string(index + 1);
    return "warm-up sample \"" + sample.name + "\"";
}

std::string input_of(const std::string& sample, const std::string& name) {
    return sample + ": input \"" + name + "\"";
}

// The file of that name, wherever links within the model's folder lead.
Result<fs::path> find_file(const fs::path& folder, const std::string& name) {
    const bool plain = !name.empty() && name != "." && name != ".." &&
                       name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
    if (!plain) {
        return fail(ErrorCode::kInvalidArgument,
                    "has input_data_file \"" + name + "\", which is not a plain file name");
    }
    std::error_code error;
    const fs::path root = fs::canonical(folder.parent_path(), error) / folder.filename();
    fs::path file = error ? fs::path() : fs::canonical(root / name, error);
    if (error) {
        return fail(ErrorCode::kInvalidArgument,
                    "has input_data_file \"" + name + "\", but " + (folder / name).string() +
                        " cannot be read: " + error.message());
    }
    if (std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first != root.end()) {
        return fail(ErrorCode::kInvalidArgument,
                    "has input_data_file \"" + name + "\", which leads out of " + folder.string());
    }
    if (!fs::is_regular_file(file, error)) {
        return fail(ErrorCode::kInvalidArgument,
                    "has input_data_file \"" + name + "\", which is not a file");
    }
    return file;
}

// From `least` to `most` bytes.
Result<std::vector<std::byte>> read_file(const fs::path& folder,
                                         const std::string& name,
                                         const Shape& shape,
                                         std::size_t least,
                                         std::size_t most) {
    LEPTON_TRY(const fs::path file, find_file(folder, name));
    std::error_code error;
    const std::uintmax_t size = fs::file_size(file, error);
    if (error || size < least || size > most) {
        const std::string needed =
            least == most ? std::to_string(least)
                          : "between " + std::to_string(least) + " and " + std::to_string(most);
        return fail(ErrorCode::kInvalidArgument,
                    "has shape " + to_string(shape) + ", which takes " + needed + " bytes, and " +
                        (folder / name).string() + " has " + std::to_string(size));
    }
    std::vector<std::byte> data(size);
    std::ifstream stream(file, std::ios::binary);
    stream.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(data.size()));
    if (!stream) {
        return fail(ErrorCode::kInvalidArgument,
                    "has input_data_file \"" + name + "\", which cannot be read");
    }
    return data;
}

// Whether the bytes are exactly that many elements of kBytes.
Result<> check_elements(std::span<const std::byte> data,
                        std::int64_t count,
                        const std::string& file) {
    for (std::int64_t i = 0; i < count; ++i) {
        std::uint32_t length = 0;
        if (data.size() >= kLengthBytes) std::memcpy(&length, data.data(), kLengthBytes);
        if (data.size() < kLengthBytes || data.size() - kLengthBytes < length) {
            return fail(ErrorCode::kInvalidArgument,
                        "has " + std::to_string(count) + " elements, and " + file +
                            " ends within element " + std::to_string(i));
        }
        data = data.subspan(kLengthBytes + length);
    }
    if (data.empty()) return {};
    return fail(ErrorCode::kInvalidArgument,
                "has " + std::to_string(count) + " elements, and " + file + " has " +
                    std::to_string(data.size()) + " bytes after them");
}

std::vector<std::byte> random_data(DataType dtype, std::int64_t elements, std::uint64_t seed) {
    memory::BufferPool pool;
    memory::Buffer buffer = pool.take(memory::Buffer::kAlignment);
    append_random(buffer, dtype, elements, seed);
    return {buffer.bytes().begin(), buffer.bytes().end()};
}

// Errors: without sample and input.
Result<DeclaredSample::Input> read_input(const WarmUpSample::Input& declared,
                                         const fs::path& folder,
                                         bool batch_axis,
                                         std::int64_t rows,
                                         std::uint64_t seed) {
    DeclaredSample::Input input{declared.name, declared.dtype, {}, {}};
    bool fits = !batch_axis || input.shape.push_back(1);
    for (const std::int64_t dim : declared.dims) fits = fits && input.shape.push_back(dim);
    const bool strings = declared.dtype == DataType::kBytes;
    const std::size_t least_of_one = strings ? kLengthBytes : element_bytes(declared.dtype);
    const std::optional<std::int64_t> elements = input.shape.element_count();
    const auto most = static_cast<std::int64_t>(kMostBytes / least_of_one) / rows;
    if (!fits || !elements || *elements > most) {
        return fail(ErrorCode::kInvalidArgument,
                    "has dims " + to_string(declared.dims) + " of " +
                        std::string(to_string(declared.dtype)) + ", at most " +
                        std::to_string(kMostBytes) + " bytes are allowed");
    }
    const std::size_t least = static_cast<std::size_t>(*elements) * least_of_one;
    switch (declared.content) {
        case WarmUpSample::Content::kFile: {
            const std::size_t at_most =
                strings ? kMostBytes / static_cast<std::size_t>(rows) : least;
            LEPTON_TRY(input.data, read_file(folder, declared.file, input.shape, least, at_most));
            if (strings) {
                LEPTON_RETURN_IF_ERROR(
                    check_elements(input.data, *elements, (folder / declared.file).string()));
            }
            break;
        }
        case WarmUpSample::Content::kRandom:
            if (!strings) {
                input.data = random_data(declared.dtype, *elements, seed);
                break;
            }
            [[fallthrough]];  // Triton does the same.
        case WarmUpSample::Content::kZero:
            input.data.resize(least);  // For kBytes these are elements of no length.
            break;
    }
    return input;
}

Result<> fit(DeclaredSample& sample, std::span<const TensorSpec> specs) {
    for (const DeclaredSample::Input& input : sample.inputs) {
        const bool known = std::any_of(specs.begin(), specs.end(), [&input](const auto& spec) {
            return spec.name == input.name;
        });
        if (!known) {
            return refuse(input_of(sample.what, input.name), "is not an input of the model");
        }
    }
    std::vector<DeclaredSample::Input> ordered;
    for (const TensorSpec& spec : specs) {
        const std::string what = input_of(sample.what, spec.name);
        const auto input = std::find_if(sample.inputs.begin(),
                                        sample.inputs.end(),
                                        [&spec](const auto& in) { return in.name == spec.name; });
        if (input == sample.inputs.end()) return refuse(what, "is missing");
        if (input->dtype != spec.dtype) {
            return refuse(what,
                          "is " + std::string(to_string(input->dtype)) +
                              ", the model's has datatype " + std::string(to_string(spec.dtype)));
        }
        if (!spec.shape.accepts(input->shape)) {
            return refuse(what,
                          "has shape " + to_string(input->shape) + ", the model's has " +
                              to_string(spec.shape));
        }
        ordered.push_back(std::move(*input));
    }
    sample.inputs = std::move(ordered);
    return {};
}

}  // namespace

Result<std::vector<DeclaredSample>> read_samples(std::span<const WarmUpSample> declared,
                                                 const fs::path& folder,
                                                 bool dims_of_rows,
                                                 std::optional<std::int64_t> max_batch_size) {
    std::vector<DeclaredSample> samples;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < declared.size(); ++i) {
        const WarmUpSample& from = declared[i];
        DeclaredSample& sample = samples.emplace_back();
        sample.what = name_of(from, i);
        sample.rows = from.batch_size;
        sample.count = from.count;
        const std::int64_t most = max_batch_size.value_or(dims_of_rows ? from.batch_size : 0);
        if (from.batch_size > std::max(std::int64_t{1}, most)) {
            return refuse(sample.what,
                          "has batch_size " + std::to_string(from.batch_size) +
                              ", max_batch_size is " + std::to_string(most));
        }
        for (std::size_t k = 0; k < from.inputs.size(); ++k) {
            auto input = read_input(from.inputs[k], folder, dims_of_rows, from.batch_size, k);
            if (!input) {
                return refuse(input_of(sample.what, from.inputs[k].name), input.error().message);
            }
            bytes += input->data.size();
            if (bytes > kMostBytes) {
                return refuse(sample.what,
                              "has more than " + std::to_string(kMostBytes) +
                                  " bytes, together with the samples before it");
            }
            sample.inputs.push_back(*std::move(input));
        }
    }
    return samples;
}

fs::path samples_folder(const fs::path& model_file) {
    return model_file.parent_path().parent_path() / "warmup";
}

std::string digest_of(std::span<const DeclaredSample> samples) {
    std::string text;
    for (const DeclaredSample& sample : samples) {
        text += std::to_string(sample.rows) + 'x' + std::to_string(sample.count);
        for (const DeclaredSample::Input& input : sample.inputs) {
            const std::string_view data(reinterpret_cast<const char*>(input.data.data()),
                                        input.data.size());
            text += '\n' + digest_of(std::string_view(input.name)) + ' ';
            text += std::string(to_string(input.dtype)) + to_string(input.shape) + digest_of(data);
        }
        text += '\n';
    }
    return text.empty() ? text : digest_of(std::string_view(text));
}

Result<> fit_samples(std::vector<DeclaredSample>& samples, std::span<const TensorSpec> inputs) {
    for (DeclaredSample& sample : samples) LEPTON_RETURN_IF_ERROR(fit(sample, inputs));
    return {};
}

Result<> count_rows(std::vector<DeclaredSample>& samples) {
    for (DeclaredSample& sample : samples) {
        const DeclaredSample::Input& first = sample.inputs.front();
        const std::int64_t rows = first.shape[0];
        for (const DeclaredSample::Input& input : sample.inputs) {
            if (input.shape[0] == rows && rows > 0) continue;
            return refuse(input_of(sample.what, input.name),
                          "has shape " + to_string(input.shape) + ", \"" + first.name + "\" has " +
                              to_string(first.shape) +
                              ": axis 0 counts the rows of a batch, at least 1 and the same for "
                              "all inputs");
        }
        sample.rows = std::max(sample.rows, rows);
    }
    return {};
}

DeclaredSample padded(const DeclaredSample& sample,
                      std::span<const TensorSpec> inputs,
                      std::int64_t extent) {
    DeclaredSample result = sample;
    result.rows = 1;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        DeclaredSample::Input& input = result.inputs[i];
        input.shape[0] = 1;
        for (std::size_t axis = 1; axis < input.shape.rank(); ++axis) {
            if (inputs[i].shape[axis] < 0) input.shape[axis] = extent;
        }
        const std::size_t element = element_bytes(input.dtype);
        input.data.resize(static_cast<std::size_t>(input.shape.element_count().value_or(0)) *
                          element);
        memory::copy_common(
            sample.inputs[i].data, sample.inputs[i].shape, input.data, input.shape, element);
    }
    return result;
}

}  // namespace lepton::model
