#include "lepton/protocol/kserve/rest_infer_encode.h"

#include <charconv>
#include <cstring>
#include <string>

#include <simdjson.h>

#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/json/json_writer.h"
#include "lepton/protocol/kserve/infer_route.h"
#include "lepton/protocol/tensor_bytes.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

// A client may get an answer plain; some 10 ms for each of these bytes' millions is more than the
// network of most would take.
constexpr std::size_t kMostCompressed = std::size_t{1} << 20;
constexpr std::size_t kRoomForHeader = 512;
constexpr std::size_t kRoomPerOutput = 256;

tl::unexpected<Error> not_in_json(const OutputTensor& output, std::string_view what) {
    return fail(ErrorCode::kInvalidArgument,
                concat({"output ",
                        in_quotes(output.name),
                        " is ",
                        what,
                        ", which JSON cannot carry; ask for it as binary data"}));
}

// Whether output `i` was asked for as binary data. Outputs come in the order of the request.
bool is_binary(const Request& request, std::size_t i) {
    if (i >= request.outputs.size()) return request.binary_data_output;
    return request.outputs[i].binary_data.value_or(request.binary_data_output);
}

template <class T>
void write_elements(JsonWriter& json, std::span<const std::byte> data) {
    constexpr std::size_t kChunk = 1024;  // Elements that room is made for at a time.
    const std::size_t count = data.size() / sizeof(T);
    for (std::size_t i = 0; i < count; ++i) {
        if (i % kChunk == 0) json.reserve(std::min(kChunk, count - i) * JsonWriter::kLongestNumber);
        T element;
        std::memcpy(&element, data.data() + i * sizeof(T), sizeof(T));
        json.number(element);
    }
}

void write_booleans(JsonWriter& json, std::span<const std::byte> data) {
    json.reserve(data.size() * std::string_view("false,").size());
    for (const std::byte element : data) json.boolean(element != std::byte{0});
}

Result<> write_strings(JsonWriter& json, const OutputTensor& output) {
    BytesElements elements(output.tensor.data);
    for (std::string_view element; elements.next(element);) {
        if (!simdjson::validate_utf8(element.data(), element.size())) {
            return not_in_json(output, "BYTES that are not UTF-8");
        }
        json.reserve(element.size() + JsonWriter::kLongestNumber);
        json.string(element);
    }
    return {};
}

Result<> write_data(JsonWriter& json, const OutputTensor& output) {
    const std::span<const std::byte> data = output.tensor.data;
    switch (output.tensor.dtype) {
        case DataType::kBool:
            write_booleans(json, data);
            return {};
        case DataType::kUint8:
            write_elements<std::uint8_t>(json, data);
            return {};
        case DataType::kUint16:
            write_elements<std::uint16_t>(json, data);
            return {};
        case DataType::kUint32:
            write_elements<std::uint32_t>(json, data);
            return {};
        case DataType::kUint64:
            write_elements<std::uint64_t>(json, data);
            return {};
        case DataType::kInt8:
            write_elements<std::int8_t>(json, data);
            return {};
        case DataType::kInt16:
            write_elements<std::int16_t>(json, data);
            return {};
        case DataType::kInt32:
            write_elements<std::int32_t>(json, data);
            return {};
        case DataType::kInt64:
            write_elements<std::int64_t>(json, data);
            return {};
        case DataType::kFp32:
            write_elements<float>(json, data);
            return {};
        case DataType::kFp64:
            write_elements<double>(json, data);
            return {};
        case DataType::kBytes:
            return write_strings(json, output);
        case DataType::kFp16:
        case DataType::kBf16:
            break;
    }
    return not_in_json(output, to_string(output.tensor.dtype));
}

Result<> write_output(JsonWriter& json, const OutputTensor& output, bool binary) {
    json.begin_object();
    json.key("name");
    json.string(output.name);
    json.key("datatype");
    json.plain_string(to_string(output.tensor.dtype));
    json.key("shape");
    json.begin_array();
    for (const std::int64_t dim : output.tensor.shape.dims()) json.number(dim);
    json.end_array();
    if (binary) {
        json.key("parameters");
        json.begin_object();
        json.key("binary_data_size");
        json.number(output.tensor.data.size());
        json.end_object();
    } else {
        json.key("data");
        json.begin_array();
        LEPTON_RETURN_IF_ERROR(write_data(json, output));
        json.end_array();
    }
    json.end_object();
    return {};
}

void write_parameters(JsonWriter& json, const Request& request) {
    if (request.parameters.empty()) return;
    json.key("parameters");
    json.begin_object();
    for (const Parameter& parameter : request.parameters) {
        json.key(parameter.name);
        std::visit(
            [&json](auto value) {
                using Value = decltype(value);
                if constexpr (std::is_same_v<Value, bool>)
                    json.boolean(value);
                else if constexpr (std::is_same_v<Value, std::string_view>)
                    json.string(value);
                else if constexpr (std::is_same_v<Value, double>)
                    json.real(value);
                else
                    json.number(value);
            },
            parameter.value);
    }
    json.end_object();
}

Result<> write_json(JsonWriter& json, const Request& request, const Response& response) {
    json.begin_object();
    json.key("model_name");
    json.string(response.model->name);
    json.key("model_version");
    json.string(response.model->version);
    if (!request.id.empty()) {
        json.key("id");
        json.string(request.id);
    }
    write_parameters(json, request);
    json.key("outputs");
    json.begin_array();
    for (std::size_t i = 0; i < response.outputs.size(); ++i) {
        LEPTON_RETURN_IF_ERROR(write_output(json, response.outputs[i], is_binary(request, i)));
    }
    json.end_array();
    json.end_object();
    return {};
}

void add_header_length(net::Reply& reply, std::size_t length) {
    char text[24];
    const char* end = std::to_chars(text, text + sizeof text, length).ptr;
    reply.fields.add("inference-header-content-length",
                     {text, static_cast<std::size_t>(end - text)});
}

}  // namespace

bool is_long_to_encode(const Request& request, const Response& response, ContentEncoding encoding) {
    std::size_t written = 0;
    std::size_t copied = 0;
    for (std::size_t i = 0; i < response.outputs.size(); ++i) {
        const bool as_it_is = is_binary(request, i) && encoding == ContentEncoding::kIdentity;
        (as_it_is ? copied : written) += response.outputs[i].tensor.data.size();
    }
    return written > kDecodedOnLoop || copied > kCopiedOnLoop;
}

Result<> encode_rest_infer(const Request& request,
                           const Response& response,
                           ContentEncoding encoding,
                           memory::BufferPool& pool,
                           net::Reply& reply) {
    std::size_t binary_bytes = 0;
    bool any_binary = false;
    for (std::size_t i = 0; i < response.outputs.size(); ++i) {
        if (!is_binary(request, i)) continue;
        any_binary = true;
        binary_bytes += response.outputs[i].tensor.data.size();
    }
    prepare_body(
        reply.body, kRoomForHeader + kRoomPerOutput * response.outputs.size() + binary_bytes, pool);
    JsonWriter json(reply.body);
    LEPTON_RETURN_IF_ERROR(write_json(json, request, response));
    if (any_binary) {
        reply.content_type = "application/octet-stream";
        add_header_length(reply, reply.body.size());
        json.reserve(binary_bytes);
        for (std::size_t i = 0; i < response.outputs.size(); ++i) {
            if (is_binary(request, i)) reply.body.append(response.outputs[i].tensor.data);
        }
    }
    if (reply.body.size() <= kMostCompressed && compress(reply.body, encoding, pool)) {
        reply.fields.add("content-encoding", to_string(encoding));
    }
    return {};
}

}  // namespace lepton::protocol
