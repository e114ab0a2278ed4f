#include "lepton/model/warm_up/sample_data.h"

#include <cstring>

#include "lepton/memory/tensor_copy.h"
#include "lepton/model/warm_up/declared_samples.h"

namespace lepton::model {
namespace {

// splitmix64, https://prng.di.unimi.it/splitmix64.c (public domain).
std::uint64_t mixed(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

template <class T>
void put(memory::Buffer& buffer, T value) {
    std::memcpy(buffer.extend(sizeof value), &value, sizeof value);
}

constexpr double kLarge = 1000;

// `large`: floats of either sign, up to kLarge; `whole`: what whole numbers are.
void put_element(
    memory::Buffer& buffer, DataType dtype, std::uint64_t random, bool large, std::uint64_t whole) {
    const std::uint64_t bit = random & 1;
    const double unit = static_cast<double>(random >> 11) * 0x1p-53;
    const double fraction = large ? kLarge * (2 * unit - 1) : unit;
    switch (dtype) {
        case DataType::kFp32:
            return put(buffer, static_cast<float>(fraction));
        case DataType::kFp64:
            return put(buffer, fraction);
        case DataType::kBf16: {
            const auto value = static_cast<float>(fraction);
            std::uint32_t bits = 0;
            std::memcpy(&bits, &value, sizeof bits);
            return put(buffer, static_cast<std::uint16_t>(bits >> 16));
        }
        case DataType::kFp16: {  // The exponent of [0.5, 1), or of [512, 1024), before the rest.
            const std::uint64_t sign_and_exponent = large ? 0x6000 | (bit << 15) : 0x3800;
            return put(buffer, static_cast<std::uint16_t>(sign_and_exponent | (random & 0x3ff)));
        }
        case DataType::kBytes:
            put(buffer, std::uint32_t{1});
            return buffer.append(bit == 0 ? '0' : '1');
        case DataType::kBool:
            return put(buffer, static_cast<std::uint8_t>(bit));
        case DataType::kUint8:
        case DataType::kInt8:
            return put(buffer, static_cast<std::uint8_t>(whole));
        case DataType::kUint16:
        case DataType::kInt16:
            return put(buffer, static_cast<std::uint16_t>(whole));
        case DataType::kUint32:
        case DataType::kInt32:
            return put(buffer, static_cast<std::uint32_t>(whole));
        case DataType::kUint64:
        case DataType::kInt64:
            return put(buffer, whole);
    }
}

// Of the endless table in which the rows of the input repeat.
std::span<const std::byte> row_of(const DeclaredSample::Input& input, std::int64_t row) {
    const std::span<const std::byte> data = input.data;
    row %= input.shape[0];
    const auto at = static_cast<std::size_t>(row);
    if (input.dtype != DataType::kBytes) {
        const std::size_t bytes = data.size() / static_cast<std::size_t>(input.shape[0]);
        return data.subspan(at * bytes, bytes);
    }
    const std::int64_t elements = input.shape.row().element_count().value_or(0);
    const std::size_t start = memory::bytes_of_elements(data, row * elements);
    return data.subspan(start, memory::bytes_of_elements(data.subspan(start), elements));
}

}  // namespace

std::vector<Shape> sample_shapes(std::span<const TensorSpec> inputs,
                                 bool batches,
                                 std::int64_t rows,
                                 std::int64_t free_extent) {
    std::vector<Shape> shapes;
    for (const TensorSpec& input : inputs) {
        Shape& shape = shapes.emplace_back();
        for (const std::int64_t dim : input.shape) shape.push_back(dim < 0 ? free_extent : dim);
        if (batches) shape[0] = rows;
    }
    return shapes;
}

void append_random(memory::Buffer& buffer,
                   DataType dtype,
                   std::int64_t elements,
                   std::uint64_t seed) {
    for (std::int64_t e = 0; e < elements; ++e) {
        const std::uint64_t random = mixed(mixed(seed) + static_cast<std::uint64_t>(e));
        put_element(buffer, dtype, random, false, random >> 33);
    }
}

SampleData::SampleData(std::span<const TensorSpec> inputs,
                       bool batches,
                       std::int64_t first_row,
                       std::int64_t rows,
                       std::int64_t free_extent,
                       SampleContent content) {
    const std::vector<Shape> shapes = sample_shapes(inputs, batches, rows, free_extent);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Shape row = batches ? shapes[i].row() : shapes[i];
        const std::int64_t row_elements = row.element_count().value_or(0);
        buffers_.push_back(pool_.take(64));
        for (std::int64_t r = first_row; r < first_row + (batches ? rows : 1); ++r) {
            const std::uint64_t seed =
                mixed((static_cast<std::uint64_t>(i) << 32) + static_cast<std::uint64_t>(r));
            const bool contrasts = content == SampleContent::kContrasting;
            for (std::int64_t e = 0; e < row_elements; ++e) {
                const std::uint64_t random = mixed(seed + static_cast<std::uint64_t>(e));
                const std::uint64_t whole = contrasts ? random & 1 : 1;
                put_element(buffers_[i], inputs[i].dtype, random, contrasts && r % 2 == 1, whole);
            }
        }
        views_.push_back({inputs[i].dtype, shapes[i], buffers_[i].bytes()});
    }
}

SampleData::SampleData(const DeclaredSample& sample,
                       bool batches,
                       std::int64_t first_row,
                       std::int64_t rows) {
    for (const DeclaredSample::Input& input : sample.inputs) {
        memory::Buffer& buffer = buffers_.emplace_back(pool_.take(memory::Buffer::kAlignment));
        Shape shape = input.shape;
        if (batches) {
            shape[0] = rows;
            for (std::int64_t r = first_row; r < first_row + rows; ++r) {
                buffer.append(row_of(input, r));
            }
        } else {
            buffer.append(input.data);
        }
        views_.push_back({input.dtype, shape, buffer.bytes()});
    }
}

}  // namespace lepton::model
