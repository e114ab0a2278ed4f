#include "question.h"

#include <charconv>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string_view>

#include <nlohmann/json.hpp>

namespace lepton::bench {
namespace {

using Json = nlohmann::ordered_json;

std::size_t element_bytes(const std::string& datatype) {
    if (datatype == "FP32" || datatype == "INT32") return 4;
    if (datatype == "INT64") return 8;
    if (datatype == "UINT8") return 1;
    throw std::invalid_argument("datatype \"" + datatype + "\" is not FP32, INT32, INT64 or UINT8");
}

template <class T>
void append_value(std::string& bytes, T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <class T>
T value_at(const QuestionTensor& tensor, std::size_t index) {
    T value;
    std::memcpy(&value, tensor.bytes.data() + index * sizeof(T), sizeof(T));
    return value;
}

// Writes the shortest decimal form that reads back as the same number, as JSON encoders do.
template <class T>
void append_number(std::string& text, T value) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    text.append(digits, end);
}

void append_element(std::string& text, const QuestionTensor& tensor, std::size_t index) {
    if (tensor.datatype == "FP32") append_number(text, value_at<float>(tensor, index));
    if (tensor.datatype == "INT32") append_number(text, value_at<std::int32_t>(tensor, index));
    if (tensor.datatype == "INT64") append_number(text, value_at<std::int64_t>(tensor, index));
    if (tensor.datatype == "UINT8") append_number(text, value_at<std::uint8_t>(tensor, index));
}

// The few pieces of protobuf's encoding that are needed:
// https://protobuf.dev/programming-guides/encoding/
void append_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
}

void append_field(std::string& out, unsigned number, std::string_view content) {
    append_varint(out, number << 3 | 2);
    append_varint(out, content.size());
    out.append(content);
}

std::uint64_t take_varint(std::string_view& in) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(in.front());
        in.remove_prefix(1);
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    throw std::runtime_error("the answer is not protobuf: a varint has no end");
}

}  // namespace

QuestionTensor parse_tensor(const std::string& text) {
    const std::size_t datatype_at = text.find(':');
    const std::size_t shape_at = text.find(':', datatype_at + 1);
    if (datatype_at == std::string::npos || shape_at == std::string::npos) {
        throw std::invalid_argument("input \"" + text + "\" is not NAME:DATATYPE:2x3x4");
    }
    QuestionTensor tensor{.name = text.substr(0, datatype_at),
                          .datatype = text.substr(datatype_at + 1, shape_at - datatype_at - 1),
                          .shape = {},
                          .bytes = {}};
    std::size_t elements = 1;
    const char* at = text.data() + shape_at + 1;
    const char* const end = text.data() + text.size();
    while (true) {
        std::int64_t extent = 0;
        const auto parsed = std::from_chars(at, end, extent);
        if (parsed.ec != std::errc() || extent <= 0) {
            throw std::invalid_argument("shape of input \"" + text + "\" is not like 2x3x4");
        }
        tensor.shape.push_back(extent);
        elements *= static_cast<std::size_t>(extent);
        if (parsed.ptr == end) break;
        at = parsed.ptr + 1;
    }
    tensor.bytes.reserve(elements * element_bytes(tensor.datatype));
    std::mt19937 random(1);
    std::uniform_real_distribution<float> real(-1.0F, 1.0F);
    std::uniform_int_distribution<int> integer(0, 99);
    for (std::size_t i = 0; i < elements; ++i) {
        if (tensor.datatype == "FP32") append_value(tensor.bytes, real(random));
        if (tensor.datatype == "INT32") append_value<std::int32_t>(tensor.bytes, integer(random));
        if (tensor.datatype == "INT64") append_value<std::int64_t>(tensor.bytes, integer(random));
        if (tensor.datatype == "UINT8") {
            append_value(tensor.bytes, static_cast<std::uint8_t>(integer(random)));
        }
    }
    return tensor;
}

std::string json_body(const Question& question) {
    std::string body = R"({"inputs":[)";
    for (const QuestionTensor& tensor : question.inputs) {
        if (body.back() == '}') body += ',';
        body += R"({"name":)" + Json(tensor.name).dump() + R"(,"shape":)" +
                Json(tensor.shape).dump() + R"(,"datatype":")" + tensor.datatype + R"(","data":[)";
        const std::size_t count = tensor.bytes.size() / element_bytes(tensor.datatype);
        for (std::size_t i = 0; i < count; ++i) {
            if (i > 0) body += ',';
            append_element(body, tensor, i);
        }
        body += "]}";
    }
    return body + "]}";
}

BinaryBody binary_body(const Question& question) {
    Json inputs = Json::array();
    for (const QuestionTensor& tensor : question.inputs) {
        inputs.push_back({{"name", tensor.name},
                          {"shape", tensor.shape},
                          {"datatype", tensor.datatype},
                          {"parameters", {{"binary_data_size", tensor.bytes.size()}}}});
    }
    BinaryBody body;
    body.bytes = Json{{"inputs", inputs}, {"parameters", {{"binary_data_output", true}}}}.dump();
    body.json_bytes = body.bytes.size();
    for (const QuestionTensor& tensor : question.inputs) body.bytes += tensor.bytes;
    return body;
}

std::string protobuf_body(const Question& question) {
    std::string message;
    append_field(message, 1, question.model);
    for (const QuestionTensor& tensor : question.inputs) {
        std::string shape;
        for (const std::int64_t extent : tensor.shape) {
            append_varint(shape, static_cast<std::uint64_t>(extent));
        }
        std::string input;
        append_field(input, 1, tensor.name);
        append_field(input, 2, tensor.datatype);
        append_field(input, 3, shape);
        append_field(message, 5, input);
    }
    for (const QuestionTensor& tensor : question.inputs) append_field(message, 7, tensor.bytes);
    return message;
}

std::size_t output_bytes_of_json(const std::string& body) {
    std::size_t bytes = 0;
    const Json answer = Json::parse(body);
    for (const Json& output : answer.at("outputs")) {
        bytes += output.at("data").size() * element_bytes(output.at("datatype"));
    }
    return bytes;
}

std::size_t output_bytes_of_protobuf(const std::string& message) {
    constexpr std::uint64_t kRawOutputContents = 6;
    std::size_t bytes = 0;
    for (std::string_view rest = message; !rest.empty();) {
        const std::uint64_t tag = take_varint(rest);
        const std::uint64_t value = take_varint(rest);
        if ((tag & 7) == 0) continue;
        if ((tag & 7) != 2 || value > rest.size()) {
            throw std::runtime_error("the answer is not a ModelInferResponse");
        }
        if (tag >> 3 == kRawOutputContents) bytes += value;
        rest.remove_prefix(value);
    }
    return bytes;
}

}  // namespace lepton::bench
