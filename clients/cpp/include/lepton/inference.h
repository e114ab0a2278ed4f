#pragma once

// The values that a client of a server (client.h) and an in-process server (server.h) share: what
// is asked of a model, and what it answers.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lepton/byte_buffer.h"
#include "lepton/core/clock.h"
#include "lepton/core/data_type.h"
#include "lepton/core/model_spec.h"
#include "lepton/core/request.h"
#include "lepton/core/result.h"
#include "lepton/core/shape.h"
#include "lepton/core/timeline.h"

namespace lepton {

// The C++ types of a datatype's elements. FP16 and BF16 have none: pass and read their bytes.
template <class T>
concept Element =
    std::same_as<T, bool> || std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t> ||
    std::same_as<T, std::uint32_t> || std::same_as<T, std::uint64_t> ||
    std::same_as<T, std::int8_t> || std::same_as<T, std::int16_t> ||
    std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t> || std::same_as<T, float> ||
    std::same_as<T, double>;

template <Element T>
constexpr DataType data_type_of() {
    if constexpr (std::same_as<T, bool>) return DataType::kBool;
    if constexpr (std::same_as<T, std::uint8_t>) return DataType::kUint8;
    if constexpr (std::same_as<T, std::uint16_t>) return DataType::kUint16;
    if constexpr (std::same_as<T, std::uint32_t>) return DataType::kUint32;
    if constexpr (std::same_as<T, std::uint64_t>) return DataType::kUint64;
    if constexpr (std::same_as<T, std::int8_t>) return DataType::kInt8;
    if constexpr (std::same_as<T, std::int16_t>) return DataType::kInt16;
    if constexpr (std::same_as<T, std::int32_t>) return DataType::kInt32;
    if constexpr (std::same_as<T, std::int64_t>) return DataType::kInt64;
    if constexpr (std::same_as<T, double>) return DataType::kFp64;
    return DataType::kFp32;
}

// One input tensor: a view of the caller's bytes in the wire's layout (little-endian, row-major, no
// padding; BYTES elements length-prefixed). Nothing is copied: the caller keeps name and data until
// the call has ended.
struct Input {
    std::string_view name;
    DataType dtype = DataType::kFp32;
    Shape shape;
    std::span<const std::byte> data;
};

// An input that views `values`.
template <Element T>
[[nodiscard]] Input make_input(std::string_view name, std::span<const T> values, Shape shape) {
    return {name, data_type_of<T>(), shape, std::as_bytes(values)};
}
template <Element T>
[[nodiscard]] Input make_input(std::string_view name, const std::vector<T>& values, Shape shape) {
    return make_input(name, std::span<const T>(values), shape);
}

// Deleted, because temporaries would be gone before the call began.
template <class Name, class Values>
    requires std::same_as<Name, std::string>
Input make_input(Name&& name, const Values& values, Shape shape) = delete;
template <class T>
Input make_input(std::string_view name, std::vector<T>&& values, Shape shape) = delete;

// The elements of a BYTES tensor, in the wire's layout. The caller keeps it until the call that
// uses its input() has ended. Not thread-safe.
class BytesTensor {
public:
    BytesTensor() = default;
    explicit BytesTensor(std::span<const std::string_view> elements) {
        for (const std::string_view element : elements) add(element);
    }

    // Precondition: `element` is shorter than 4 GiB.
    void add(std::string_view element);
    void clear();

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::span<const std::byte> data() const { return data_; }
    [[nodiscard]] Input input(std::string_view name, Shape shape) const {
        return {name, DataType::kBytes, shape, data_};
    }
    // The elements as a vector of size() elements.
    [[nodiscard]] Input input(std::string_view name) const {
        return input(name, {static_cast<std::int64_t>(size_)});
    }

private:
    std::vector<std::byte> data_;
    std::size_t size_ = 0;
};

// One inference to send. Reusable: a request that is kept costs no allocation.
struct InferRequest {
    std::string model;
    std::string version;  // Empty: the latest version that is ready.
    std::string id;       // Sent back with the answer, unless it is empty.
    std::vector<Input> inputs;
    std::vector<std::string_view> outputs;  // Names; empty: all outputs, in the model's order.

    // When the answer stops being useful. The server is told, and does not start what it cannot
    // finish in time; the call ends with kDeadlineExceeded. The earlier of the two holds. A timeout
    // of 0 means the client's; a timeout counts from the call's start.
    std::chrono::nanoseconds timeout{0};
    Clock::time_point deadline = kNoDeadline;
    // How long after the deadline a client still waits for the server, which may send a late answer
    // or a reason. An in-process server ignores it.
    std::chrono::nanoseconds grace{0};

    std::uint32_t priority = 0;         // 1 is the highest, 0 the model's default.
    std::vector<Parameter> parameters;  // Further parameters, handed to the server as they are.
};

// One output tensor: a view into its InferResult.
struct Output {
    std::string_view name;
    DataType dtype = DataType::kFp32;
    Shape shape;
    std::span<const std::byte> data;  // Aligned for its elements.

    // The elements. Throws std::invalid_argument where the tensor is not of type T.
    template <Element T>
    [[nodiscard]] std::span<const T> as() const {
        require(data_type_of<T>());
        return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
    }
    // The elements of a BYTES tensor, as views. Throws std::invalid_argument for another datatype.
    [[nodiscard]] std::vector<std::string_view> strings() const;

    // Throws like as().
    void require(DataType wanted) const;
};

// The answer to one inference. It owns the bytes that its views look into: they end with the
// result, or when it is handed to another call, which reuses its storage. Movable. Not thread-safe.
class InferResult {
public:
    // What the answering side fills in: a client's exchange, or an in-process server. Every view
    // looks into `bytes`.
    struct Contents {
        ByteBuffer bytes;
        std::string_view model_name;
        std::string_view model_version;
        std::string_view id;
        std::vector<Output> outputs;
        Breakdown timing;

        // Makes it empty and keeps its storage.
        void clear();
    };

    InferResult() = default;
    InferResult(InferResult&& other) noexcept { swap(other); }
    InferResult& operator=(InferResult&& other) noexcept {
        swap(other);
        return *this;
    }

    [[nodiscard]] std::string_view model_name() const { return contents_.model_name; }
    [[nodiscard]] std::string_view model_version() const { return contents_.model_version; }
    [[nodiscard]] std::string_view id() const { return contents_.id; }
    [[nodiscard]] std::span<const Output> outputs() const { return contents_.outputs; }
    // Where the server says that its time went; all zero where it does not say.
    [[nodiscard]] const Breakdown& timing() const { return contents_.timing; }

    // Returns null where the answer has no such output.
    [[nodiscard]] const Output* find(std::string_view name) const;
    // Throws std::out_of_range, with the names of the outputs that there are.
    [[nodiscard]] const Output& operator[](std::string_view name) const;

    [[nodiscard]] Contents& contents() { return contents_; }
    void swap(InferResult& other) noexcept { std::swap(contents_, other.contents_); }

private:
    Contents contents_;
};

// A model's inputs and outputs, as its server reports them.
struct ModelInfo {
    std::string name;
    std::vector<std::string> versions;  // The versions that are ready, ascending.
    std::string platform;
    std::vector<TensorSpec> inputs;
    std::vector<TensorSpec> outputs;
    std::vector<std::pair<std::string, std::string>> properties;  // {"engine", "openvino ..."}, ...
};

}  // namespace lepton
