#include "grpc_answer.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "exchange.h"
#include "grpc_protobuf.h"

namespace lepton::client {
namespace {

using Bytes = std::span<const std::byte>;

tl::unexpected<Error> invalid(std::string message) {
    return fail(ErrorCode::kInternal, std::move(message));
}

tl::unexpected<Error> malformed(std::string_view message) {
    return invalid("the server's answer has a malformed " + std::string(message));
}

std::string quoted(std::string_view name) { return '"' + std::string(name) + '"'; }

// Adds the extents of one occurrence of `shape`, packed or single.
bool add_extents(ProtobufReader& reader, Shape& shape) {
    if (reader.tag() == varint_tag(3)) {
        return shape.push_back(static_cast<std::int64_t>(reader.varint()));
    }
    ProtobufReader packed(reader.bytes());
    while (packed.ok() && !packed.at_end()) {
        if (!shape.push_back(static_cast<std::int64_t>(packed.varint()))) return false;
    }
    return packed.ok();
}

// The fields that InferOutputTensor and TensorMetadata share: name = 1, datatype = 2, shape = 3.
struct Description {
    std::string_view name;
    std::string_view datatype;
    Shape shape;
    bool typed_contents = false;  // The output has field 5.
};

Result<Description> read_description(Bytes message) {
    Description description;
    ProtobufReader reader(message);
    bool shape_fits = true;
    while (reader.next()) {
        switch (reader.tag()) {
            case bytes_tag(1):
                description.name = reader.text();
                break;
            case bytes_tag(2):
                description.datatype = reader.text();
                break;
            case bytes_tag(3):
            case varint_tag(3):
                shape_fits = add_extents(reader, description.shape) && shape_fits;
                break;
            case bytes_tag(5):
                description.typed_contents = true;
                reader.skip();
                break;
            default:
                reader.skip();
        }
    }
    if (!reader.ok()) return malformed("description of a tensor");
    if (!shape_fits) {
        return invalid("the server's answer has a malformed shape of tensor " +
                       quoted(description.name) + ", or one of more than " +
                       std::to_string(Shape::kMaxRank) + " extents");
    }
    return description;
}

Result<DataType> data_type_of(const Description& description) {
    if (const auto dtype = parse_data_type(description.datatype)) return *dtype;
    return invalid("the server's answer has tensor " + quoted(description.name) + " of datatype " +
                   quoted(description.datatype) + ", which the protocol does not have");
}

// Whether `data` is exactly `count` elements of a BYTES tensor.
bool holds_elements(Bytes data, std::int64_t count) {
    std::uint32_t length = 0;
    for (; count > 0 && data.size() >= sizeof length; --count) {
        std::memcpy(&length, data.data(), sizeof length);
        data = data.subspan(sizeof length);
        if (length > data.size()) return false;
        data = data.subspan(length);
    }
    return count == 0 && data.empty();
}

Result<> check_data(const Output& output) {
    const auto count = output.shape.element_count();
    if (!count) {
        return invalid("the server's answer has output " + quoted(output.name) + " of shape " +
                       to_string(output.shape));
    }
    if (output.dtype == DataType::kBytes) {
        if (holds_elements(output.data, *count)) return {};
        return invalid("the server's answer has output " + quoted(output.name) + ", whose " +
                       std::to_string(output.data.size()) + " bytes are not the BYTES of shape " +
                       to_string(output.shape));
    }
    // Divided, so that nothing overflows.
    const std::size_t each = element_bytes(output.dtype);
    if (output.data.size() % each == 0 &&
        output.data.size() / each == static_cast<std::uint64_t>(*count)) {
        return {};
    }
    return invalid("the server's answer has output " + quoted(output.name) + " with " +
                   std::to_string(output.data.size()) + " bytes, which are not " +
                   std::string(to_string(output.dtype)) + " " + to_string(output.shape));
}

// Reads one entry of map<string, InferParameter>; returns nothing unless its value is a string.
Result<std::optional<std::pair<std::string, std::string>>> read_property(Bytes entry) {
    std::string_view name;
    std::optional<std::string_view> value;
    ProtobufReader reader(entry);
    while (reader.next()) {
        switch (reader.tag()) {
            case bytes_tag(1):
                name = reader.text();
                break;
            case bytes_tag(2): {
                ProtobufReader choice(reader.bytes());
                while (choice.next()) {
                    if (choice.tag() == bytes_tag(3)) {
                        value = choice.text();
                    } else {
                        choice.skip();
                    }
                }
                if (!choice.ok()) return malformed("parameter");
                break;
            }
            default:
                reader.skip();
        }
    }
    if (!reader.ok()) return malformed("parameter");
    if (!value) return std::nullopt;
    return std::pair(std::string(name), std::string(*value));
}

Result<TensorSpec> read_tensor_spec(Bytes message) {
    LEPTON_TRY(const Description description, read_description(message));
    LEPTON_TRY(const DataType dtype, data_type_of(description));
    return TensorSpec{std::string(description.name), dtype, description.shape};
}

Result<> add_output(Bytes message, InferResult::Contents& contents) {
    LEPTON_TRY(const Description description, read_description(message));
    LEPTON_TRY(const DataType dtype, data_type_of(description));
    if (description.typed_contents) {
        return invalid("the server's answer has output " + quoted(description.name) +
                       " in typed contents; this client reads raw_output_contents");
    }
    contents.outputs.push_back({description.name, dtype, description.shape, {}});
    return {};
}

// Adds `data` to output number `index`.
Result<> add_data(Bytes data, std::size_t index, InferResult::Contents& contents) {
    // Every implementation writes fields in the order of their numbers. It matters because the data
    // is moved to be aligned, and would otherwise overwrite what follows it.
    if (index >= contents.outputs.size()) {
        return invalid("the server's answer has " + std::to_string(contents.outputs.size()) +
                       " outputs before raw_output_contents number " + std::to_string(index + 1));
    }
    contents.outputs[index].data = data;
    return check_data(contents.outputs[index]);
}

std::size_t count_outputs(Bytes message) {
    std::size_t count = 0;
    ProtobufReader reader(message);
    while (reader.next()) {
        if (reader.tag() == bytes_tag(5)) ++count;
        reader.skip();
    }
    return count;
}

}  // namespace

Result<std::size_t> read_infer_answer(InferResult::Contents& contents, std::size_t offset) {
    ByteBuffer& bytes = contents.bytes;
    // Room to align the outputs must be reserved before there are views.
    bytes.reserve(bytes.size() + count_outputs(bytes.view().subspan(offset)) * kOutputAlignment);
    const Bytes message = bytes.view().subspan(offset);
    std::size_t raw = 0;
    const auto in_order = [&raw]() -> Result<> {
        if (raw == 0) return {};
        return invalid("the server's answer has a field behind its raw_output_contents");
    };
    ProtobufReader reader(message);
    while (reader.next()) {
        switch (reader.tag()) {
            case bytes_tag(1):
                LEPTON_RETURN_IF_ERROR(in_order());
                contents.model_name = reader.text();
                break;
            case bytes_tag(2):
                LEPTON_RETURN_IF_ERROR(in_order());
                contents.model_version = reader.text();
                break;
            case bytes_tag(3):
                LEPTON_RETURN_IF_ERROR(in_order());
                contents.id = reader.text();
                break;
            case bytes_tag(5): {
                LEPTON_RETURN_IF_ERROR(in_order());
                const Bytes output = reader.bytes();
                if (reader.ok()) LEPTON_RETURN_IF_ERROR(add_output(output, contents));
                break;
            }
            case bytes_tag(6): {
                const Bytes data = reader.bytes();
                if (reader.ok()) LEPTON_RETURN_IF_ERROR(add_data(data, raw++, contents));
                break;
            }
            default:
                reader.skip();
        }
    }
    if (!reader.ok()) return malformed("ModelInferResponse");
    if (raw != contents.outputs.size()) {
        return invalid("the server's answer has " + std::to_string(contents.outputs.size()) +
                       " outputs and " + std::to_string(raw) + " raw_output_contents");
    }
    if (raw == 0) return 0;
    const auto first = static_cast<std::size_t>(contents.outputs[0].data.data() - message.data());
    align_outputs(contents);
    return first;
}

Result<ModelInfo> read_model_metadata(Bytes message) {
    ModelInfo model;
    ProtobufReader reader(message);
    while (reader.next()) {
        switch (reader.tag()) {
            case bytes_tag(1):
                model.name = reader.text();
                break;
            case bytes_tag(2):
                model.versions.emplace_back(reader.text());
                break;
            case bytes_tag(3):
                model.platform = reader.text();
                break;
            case bytes_tag(4): {
                LEPTON_TRY(TensorSpec input, read_tensor_spec(reader.bytes()));
                model.inputs.push_back(std::move(input));
                break;
            }
            case bytes_tag(5): {
                LEPTON_TRY(TensorSpec output, read_tensor_spec(reader.bytes()));
                model.outputs.push_back(std::move(output));
                break;
            }
            case bytes_tag(6): {
                LEPTON_TRY(auto property, read_property(reader.bytes()));
                if (property) model.properties.push_back(std::move(*property));
                break;
            }
            default:
                reader.skip();
        }
    }
    if (!reader.ok()) return malformed("ModelMetadataResponse");
    return model;
}

Result<bool> read_yes_or_no(Bytes message) {
    bool yes = false;
    ProtobufReader reader(message);
    while (reader.next()) {
        if (reader.tag() == varint_tag(1)) {
            yes = reader.varint() != 0;
        } else {
            reader.skip();
        }
    }
    if (!reader.ok()) return malformed("answer of a health check");
    return yes;
}

}  // namespace lepton::client
