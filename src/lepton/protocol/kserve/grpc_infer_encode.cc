#include "lepton/protocol/kserve/grpc_infer_encode.h"

#include <bit>
#include <cstring>
#include <limits>
#include <string>

#include <google/protobuf/io/coded_stream.h>

#include "lepton/core/check.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/kserve/infer_route.h"
#include "lepton/protocol/protobuf/wire_reader.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

using google::protobuf::io::CodedOutputStream;

// A protobuf message is written from its outside in, each part behind its length: the sizes below
// and the writes further down must agree field by field. proto3 leaves out scalars of value zero.

std::size_t varint_size(std::uint64_t value) { return CodedOutputStream::VarintSize64(value); }

// Every field number here is below 16: its tag is one byte.
std::size_t bytes_field_size(std::size_t size) { return 1 + varint_size(size) + size; }
std::size_t text_field_size(std::string_view text) {
    return text.empty() ? 0 : bytes_field_size(text.size());
}

std::size_t value_size(const Parameter& parameter) {
    return std::visit(
        [](auto value) -> std::size_t {
            using Value = decltype(value);
            if constexpr (std::is_same_v<Value, bool>)
                return 2;
            else if constexpr (std::is_same_v<Value, double>)
                return 1 + sizeof(double);
            else if constexpr (std::is_same_v<Value, std::string_view>) {
                return bytes_field_size(value.size());
            } else
                return 1 + varint_size(static_cast<std::uint64_t>(value));
        },
        parameter.value);
}

// Both members of a map entry are always written.
std::size_t map_entry_size(const Parameter& parameter) {
    return bytes_field_size(parameter.name.size()) + bytes_field_size(value_size(parameter));
}

std::size_t packed_shape_size(const Shape& shape) {
    std::size_t size = 0;
    for (const std::int64_t dim : shape.dims())
        size += varint_size(static_cast<std::uint64_t>(dim));
    return size;
}

std::size_t output_size(const OutputTensor& output) {
    const std::size_t shape = packed_shape_size(output.tensor.shape);
    return text_field_size(output.name) + text_field_size(to_string(output.tensor.dtype)) +
           (shape == 0 ? 0 : bytes_field_size(shape));
}

std::size_t message_size(const Request& request, const Response& response) {
    std::size_t size = text_field_size(response.model->name) +
                       text_field_size(response.model->version) + text_field_size(request.id);
    for (const Parameter& parameter : request.parameters) {
        size += bytes_field_size(map_entry_size(parameter));
    }
    for (const OutputTensor& output : response.outputs) {
        size += bytes_field_size(output_size(output)) + bytes_field_size(output.tensor.data.size());
    }
    return size;
}

class WireWriter {
public:
    explicit WireWriter(std::byte* out) : out_(reinterpret_cast<std::uint8_t*>(out)) {}

    void varint(std::uint64_t value) {
        out_ = CodedOutputStream::WriteVarint64ToArray(value, out_);
    }
    void tag(std::uint32_t tag) { out_ = CodedOutputStream::WriteVarint32ToArray(tag, out_); }
    // The head of a field whose content of that size follows.
    void head(int field, std::size_t size) {
        tag(bytes_tag(field));
        varint(size);
    }
    void bytes(int field, const void* data, std::size_t size) {
        head(field, size);
        if (size == 0) return;  // What has no bytes may have no address either.
        out_ = CodedOutputStream::WriteRawToArray(data, static_cast<int>(size), out_);
    }
    void fixed(double value) {
        out_ = CodedOutputStream::WriteLittleEndian64ToArray(std::bit_cast<std::uint64_t>(value),
                                                             out_);
    }
    void text(int field, std::string_view text) {
        if (!text.empty()) bytes(field, text.data(), text.size());
    }
    [[nodiscard]] const std::byte* end() const { return reinterpret_cast<const std::byte*>(out_); }

private:
    std::uint8_t* out_;
};

void write_value(WireWriter& out, const Parameter& parameter) {
    if (const auto* flag = std::get_if<bool>(&parameter.value)) {
        out.tag(varint_tag(1));
        out.varint(*flag ? 1 : 0);
    } else if (const auto* whole = std::get_if<std::int64_t>(&parameter.value)) {
        out.tag(varint_tag(2));
        out.varint(static_cast<std::uint64_t>(*whole));
    } else if (const auto* word = std::get_if<std::string_view>(&parameter.value)) {
        out.bytes(3, word->data(), word->size());
    } else if (const auto* real = std::get_if<double>(&parameter.value)) {
        out.tag(fixed64_tag(4));
        out.fixed(*real);
    } else {
        out.tag(varint_tag(5));
        out.varint(std::get<std::uint64_t>(parameter.value));
    }
}

void write_output(WireWriter& out, const OutputTensor& output) {
    out.head(5, output_size(output));
    out.text(1, output.name);
    out.text(2, to_string(output.tensor.dtype));
    if (output.tensor.shape.empty()) return;
    out.head(3, packed_shape_size(output.tensor.shape));
    for (const std::int64_t dim : output.tensor.shape.dims()) {
        out.varint(static_cast<std::uint64_t>(dim));
    }
}

}  // namespace

bool is_long_to_encode(const Response& response) {
    std::size_t bytes = 0;
    for (const OutputTensor& output : response.outputs) bytes += output.tensor.data.size();
    return bytes > kCopiedOnLoop;
}

Result<> encode_grpc_infer(const Request& request,
                           const Response& response,
                           memory::BufferPool& pool,
                           memory::Buffer& body) {
    const std::size_t size = message_size(request, response);
    if (size > std::numeric_limits<std::int32_t>::max()) {
        return fail(ErrorCode::kUnsupported,
                    concat({"the answer has ",
                            std::to_string(size),
                            " bytes, a gRPC message at most 2147483647"}));
    }
    prepare_body(body, size, pool);
    body.resize(size);
    WireWriter out(body.data());
    out.text(1, response.model->name);
    out.text(2, response.model->version);
    out.text(3, request.id);
    for (const Parameter& parameter : request.parameters) {
        out.head(4, map_entry_size(parameter));
        out.bytes(1, parameter.name.data(), parameter.name.size());
        out.head(2, value_size(parameter));
        write_value(out, parameter);
    }
    for (const OutputTensor& output : response.outputs) write_output(out, output);
    for (const OutputTensor& output : response.outputs) {
        out.bytes(6, output.tensor.data.data(), output.tensor.data.size());
    }
    LEPTON_CHECK(out.end() == body.data() + body.size());
    return {};
}

}  // namespace lepton::protocol
