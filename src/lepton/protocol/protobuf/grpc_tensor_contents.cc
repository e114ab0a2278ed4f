#include "lepton/protocol/protobuf/grpc_tensor_contents.h"

#include <array>
#include <cstring>
#include <limits>
#include <string>

#include "lepton/protocol/protobuf/wire_reader.h"
#include "lepton/protocol/tensor_bytes.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

// The fields of InferTensorContents, by number.
constexpr std::array<std::string_view, 9> kFields = {"",
                                                     "bool_contents",
                                                     "int_contents",
                                                     "int64_contents",
                                                     "uint_contents",
                                                     "uint64_contents",
                                                     "fp32_contents",
                                                     "fp64_contents",
                                                     "bytes_contents"};

// The field that a datatype's elements travel in; 0 for those that have none.
int field_of(DataType dtype) {
    switch (dtype) {
        case DataType::kBool:
            return 1;
        case DataType::kInt8:
        case DataType::kInt16:
        case DataType::kInt32:
            return 2;
        case DataType::kInt64:
            return 3;
        case DataType::kUint8:
        case DataType::kUint16:
        case DataType::kUint32:
            return 4;
        case DataType::kUint64:
            return 5;
        case DataType::kFp32:
            return 6;
        case DataType::kFp64:
            return 7;
        case DataType::kBytes:
            return 8;
        case DataType::kFp16:
        case DataType::kBf16:
            break;
    }
    return 0;
}

void append(TensorScratch& scratch, const void* data, std::size_t size) {
    if (size > 0) std::memcpy(scratch.extend(size), data, size);
}

tl::unexpected<Error> malformed(std::string_view input) {
    return fail(ErrorCode::kInvalidArgument,
                concat({"input ", in_quotes(input), ": malformed protobuf in its contents"}));
}

// The forms below read one element, or a packed run of them. Each leaves it to the caller to ask
// whether the reader is still ok().

// Elements that the wire carries as Wire and the tensor as Element. Protobuf itself cuts a varint
// down to its field's type, so that only Element's range is left to check.
template <class Element, class Wire = Element>
struct Varint {
    static constexpr auto kType = WireFormatLite::WIRETYPE_VARINT;

    static Result<> one(WireReader& reader, std::string_view input, TensorScratch& scratch) {
        const auto value = static_cast<Wire>(reader.varint());
        const auto element = static_cast<Element>(value);
        if (static_cast<Wire>(element) != value) [[unlikely]] {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"input ",
                                in_quotes(input),
                                " holds ",
                                std::to_string(value),
                                "; its datatype takes ",
                                std::to_string(std::numeric_limits<Element>::min()),
                                " to ",
                                std::to_string(std::numeric_limits<Element>::max())}));
        }
        append(scratch, &element, sizeof element);
        return {};
    }
    static Result<> packed(WireReader& reader, std::string_view input, TensorScratch& scratch) {
        WireReader elements(reader.bytes());
        while (elements.ok() && !elements.at_end()) {
            LEPTON_RETURN_IF_ERROR(one(elements, input, scratch));
        }
        return elements.ok() ? Result<>() : malformed(input);
    }
};

// Elements whose packed form is the tensor's layout already.
template <class Element>
struct Fixed {
    static constexpr auto kType =
        sizeof(Element) == 4 ? WireFormatLite::WIRETYPE_FIXED32 : WireFormatLite::WIRETYPE_FIXED64;

    static Result<> one(WireReader& reader, std::string_view, TensorScratch& scratch) {
        const auto element = reader.fixed<Element>();
        append(scratch, &element, sizeof element);
        return {};
    }
    static Result<> packed(WireReader& reader, std::string_view input, TensorScratch& scratch) {
        const auto run = reader.bytes();
        if (run.size() % sizeof(Element) != 0) return malformed(input);
        append(scratch, run.data(), run.size());
        return {};
    }
};

// Length-delimited elements are never packed: what looks like a run is one of them.
struct Bytes {
    static constexpr auto kType = WireFormatLite::WIRETYPE_LENGTH_DELIMITED;

    static Result<> packed(WireReader& reader, std::string_view, TensorScratch& scratch) {
        const auto element = reader.bytes();
        const auto length = static_cast<std::uint32_t>(element.size());
        append(scratch, &length, kBytesPrefix);
        append(scratch, element.data(), element.size());
        return {};
    }
    static Result<> one(WireReader& reader, std::string_view input, TensorScratch& scratch) {
        return packed(reader, input, scratch);
    }
};

template <class Form>
Result<> read_as(std::span<const std::byte> contents,
                 std::string_view input,
                 DataType dtype,
                 TensorScratch& scratch) {
    const int field = field_of(dtype);
    WireReader reader(contents);
    while (reader.next()) {
        const auto number = reader.tag() >> 3;
        if (reader.tag() == bytes_tag(field)) {
            LEPTON_RETURN_IF_ERROR(Form::packed(reader, input, scratch));
        } else if (reader.tag() == wire_tag(field, Form::kType)) {
            LEPTON_RETURN_IF_ERROR(Form::one(reader, input, scratch));
        } else if (number > 0 && number < kFields.size()) {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"input ",
                                in_quotes(input),
                                " of ",
                                to_string(dtype),
                                " carries ",
                                kFields[number],
                                "; its field is ",
                                kFields[static_cast<std::size_t>(field)]}));
        } else {
            reader.skip();
        }
    }
    return reader.ok() ? Result<>() : malformed(input);
}

}  // namespace

Result<> read_tensor_contents(std::span<const std::byte> contents,
                              std::string_view input,
                              DataType dtype,
                              TensorScratch& scratch) {
    switch (dtype) {
        case DataType::kBool:
            return read_as<Varint<bool>>(contents, input, dtype, scratch);
        case DataType::kInt8:
            return read_as<Varint<std::int8_t, std::int32_t>>(contents, input, dtype, scratch);
        case DataType::kInt16:
            return read_as<Varint<std::int16_t, std::int32_t>>(contents, input, dtype, scratch);
        case DataType::kInt32:
            return read_as<Varint<std::int32_t>>(contents, input, dtype, scratch);
        case DataType::kInt64:
            return read_as<Varint<std::int64_t>>(contents, input, dtype, scratch);
        case DataType::kUint8:
            return read_as<Varint<std::uint8_t, std::uint32_t>>(contents, input, dtype, scratch);
        case DataType::kUint16:
            return read_as<Varint<std::uint16_t, std::uint32_t>>(contents, input, dtype, scratch);
        case DataType::kUint32:
            return read_as<Varint<std::uint32_t>>(contents, input, dtype, scratch);
        case DataType::kUint64:
            return read_as<Varint<std::uint64_t>>(contents, input, dtype, scratch);
        case DataType::kFp32:
            return read_as<Fixed<float>>(contents, input, dtype, scratch);
        case DataType::kFp64:
            return read_as<Fixed<double>>(contents, input, dtype, scratch);
        case DataType::kBytes:
            return read_as<Bytes>(contents, input, dtype, scratch);
        case DataType::kFp16:
        case DataType::kBf16:
            break;
    }
    return fail(ErrorCode::kInvalidArgument,
                concat({"input ",
                        in_quotes(input),
                        " is ",
                        to_string(dtype),
                        ", which has no field in the contents; send it in raw_input_contents"}));
}

}  // namespace lepton::protocol
