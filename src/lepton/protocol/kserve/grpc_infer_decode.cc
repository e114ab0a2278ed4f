#include "lepton/protocol/kserve/grpc_infer_decode.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "lepton/protocol/kserve/infer_parameters.h"
#include "lepton/protocol/kserve/infer_route.h"
#include "lepton/protocol/kserve/tensor_scratch.h"
#include "lepton/protocol/protobuf/grpc_tensor_contents.h"
#include "lepton/protocol/protobuf/wire_reader.h"
#include "lepton/protocol/tensor_bytes.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

using Bytes = std::span<const std::byte>;

tl::unexpected<Error> invalid(std::initializer_list<std::string_view> pieces) {
    return fail(ErrorCode::kInvalidArgument, concat(pieces));
}

tl::unexpected<Error> malformed(std::string_view message) {
    return invalid({"malformed protobuf in ", message});
}

// Calls read() with the bytes of a length-delimited field; not when they are cut off, which the
// caller notices at the end of its loop.
template <class Read>
Result<> read_part(WireReader& reader, Read read) {
    const Bytes part = reader.bytes();
    return reader.ok() ? read(part) : Result<>();
}

// One entry of a map<string, InferParameter>. Nothing when its value is of no kind.
Result<std::optional<Parameter>> read_map_entry(Bytes entry) {
    Parameter parameter;
    bool has_value = false;
    WireReader reader(entry);
    while (reader.next()) {
        switch (reader.tag()) {
            case bytes_tag(1):
                parameter.name = reader.text();
                break;
            case bytes_tag(2): {
                WireReader choice(reader.bytes());
                while (choice.next()) {
                    switch (choice.tag()) {
                        case varint_tag(1):
                            parameter.value = choice.varint() != 0;
                            break;
                        case varint_tag(2):
                            parameter.value = static_cast<std::int64_t>(choice.varint());
                            break;
                        case bytes_tag(3):
                            parameter.value = choice.text();
                            break;
                        case fixed64_tag(4):
                            parameter.value = choice.fixed<double>();
                            break;
                        case varint_tag(5):
                            parameter.value = choice.varint();
                            break;
                        default:
                            choice.skip();
                            continue;
                    }
                    has_value = true;
                }
                if (!choice.ok()) return malformed("a parameter");
                break;
            }
            default:
                reader.skip();
        }
    }
    if (!reader.ok()) return malformed("a parameter");
    return has_value ? std::optional(parameter) : std::nullopt;
}

// Adds the extents of one occurrence of `shape`, packed or single.
Result<> add_extents(WireReader& reader, std::string_view input, Shape& shape) {
    const auto add = [&](std::uint64_t dim) -> Result<> {
        if (shape.push_back(static_cast<std::int64_t>(dim))) return {};
        return invalid({"input ",
                        in_quotes(input),
                        ": shape has more than ",
                        std::to_string(Shape::kMaxRank),
                        " extents"});
    };
    if (reader.tag() != bytes_tag(3)) return add(reader.varint());
    WireReader packed(reader.bytes());
    while (packed.ok() && !packed.at_end()) LEPTON_RETURN_IF_ERROR(add(packed.varint()));
    return packed.ok() ? Result<>() : malformed("the shape of an input");
}

// Decodes one request at a time; one per thread, kept for its lists.
class Decoder {
public:
    Result<> decode(net::Exchange& exchange, Request& request, memory::BufferPool& pool);

private:
    Result<> read_request(Bytes message);
    Result<> read_request_parameter(Bytes entry);
    Result<> read_input(Bytes message);
    Result<> read_output(Bytes message);
    Result<> fill_tensors();
    Result<> take_raw(InputTensor& input, Bytes data);
    Result<> read_contents();

    // A serialized InferTensorContents. It may come before its input's datatype, and in pieces.
    struct Contents {
        std::size_t input;
        Bytes message;
    };
    std::vector<Contents> contents_;
    std::vector<Bytes> raw_;
    TensorScratch scratch_;
    net::Exchange* exchange_ = nullptr;
    Request* request_ = nullptr;

    Request& request() { return *request_; }
};

Result<> Decoder::decode(net::Exchange& exchange, Request& request, memory::BufferPool& pool) {
    exchange_ = &exchange;
    request_ = &request;
    contents_.clear();
    raw_.clear();
    scratch_.begin(exchange.scratch, pool);
    const Bytes message = exchange.message.body.bytes();
    if (message.size() > std::numeric_limits<int>::max()) {
        return fail(ErrorCode::kPayloadTooLarge, "the message is larger than protobuf's 2 GiB");
    }
    LEPTON_RETURN_IF_ERROR(read_request(message));
    return fill_tensors();
}

Result<> Decoder::read_request(Bytes message) {
    WireReader reader(message);
    while (reader.next()) {
        switch (reader.tag()) {
            case bytes_tag(1):
                request().model_name = reader.text();
                break;
            case bytes_tag(2):
                request().model_version = reader.text();
                break;
            case bytes_tag(3):
                request().id = reader.text();
                break;
            case bytes_tag(4):
                LEPTON_RETURN_IF_ERROR(
                    read_part(reader, [this](Bytes part) { return read_request_parameter(part); }));
                break;
            case bytes_tag(5):
                LEPTON_RETURN_IF_ERROR(
                    read_part(reader, [this](Bytes part) { return read_input(part); }));
                break;
            case bytes_tag(6):
                LEPTON_RETURN_IF_ERROR(
                    read_part(reader, [this](Bytes part) { return read_output(part); }));
                break;
            case bytes_tag(7):
                LEPTON_RETURN_IF_ERROR(check_entries(raw_.size(), "raw_input_contents"));
                raw_.push_back(reader.bytes());
                break;
            default:
                reader.skip();
        }
    }
    return reader.ok() ? Result<>() : malformed("ModelInferRequest");
}

Result<> Decoder::read_request_parameter(Bytes entry) {
    LEPTON_TRY(const auto parameter, read_map_entry(entry));
    if (!parameter) return {};
    return apply_request_parameter(*parameter, exchange_->message.arrival(), request());
}

Result<> Decoder::read_input(Bytes message) {
    const std::size_t index = request().inputs.size();
    LEPTON_RETURN_IF_ERROR(check_entries(index, "inputs"));
    InputTensor& input = request().inputs.emplace_back();
    std::optional<DataType> dtype;
    WireReader reader(message);
    while (reader.next()) {
        switch (reader.tag()) {
            case bytes_tag(1):
                input.name = reader.text();
                break;
            case bytes_tag(2): {
                const std::string_view name = reader.text();
                dtype = parse_data_type(name);
                if (!dtype && reader.ok()) {
                    return invalid({"input ",
                                    in_quotes(input.name),
                                    " has datatype ",
                                    in_quotes(name),
                                    ", which the protocol does not have"});
                }
                break;
            }
            case bytes_tag(3):
            case varint_tag(3):
                LEPTON_RETURN_IF_ERROR(add_extents(reader, input.name, input.tensor.shape));
                break;
            case bytes_tag(4): {
                LEPTON_TRY(const auto parameter, read_map_entry(reader.bytes()));
                if (parameter)
                    LEPTON_RETURN_IF_ERROR(check_tensor_parameter(input.name, parameter->name));
                break;
            }
            case bytes_tag(5):
                LEPTON_RETURN_IF_ERROR(check_entries(contents_.size(), "contents"));
                contents_.push_back({index, reader.bytes()});
                break;
            default:
                reader.skip();
        }
    }
    if (!reader.ok()) return malformed("an input");
    if (input.name.empty()) return invalid({"an input has no name"});
    if (!dtype) return invalid({"input ", in_quotes(input.name), " has no datatype"});
    input.tensor.dtype = *dtype;
    return {};
}

Result<> Decoder::read_output(Bytes message) {
    RequestedOutput output;
    WireReader reader(message);
    while (reader.next()) {
        switch (reader.tag()) {
            case bytes_tag(1):
                output.name = reader.text();
                break;
            case bytes_tag(2): {
                LEPTON_TRY(const auto parameter, read_map_entry(reader.bytes()));
                if (parameter) {
                    LEPTON_RETURN_IF_ERROR(check_tensor_parameter(output.name, parameter->name));
                }
                break;
            }
            default:
                reader.skip();
        }
    }
    if (!reader.ok()) return malformed("a requested output");
    if (output.name.empty()) return invalid({"a requested output has no name"});
    LEPTON_RETURN_IF_ERROR(check_entries(request().outputs.size(), "outputs"));
    request().outputs.push_back(output);
    return {};
}

Result<> Decoder::fill_tensors() {
    std::vector<InputTensor>& inputs = request().inputs;
    if (inputs.empty()) return invalid({"the request has no inputs"});
    if (raw_.empty()) return read_contents();
    if (raw_.size() != inputs.size()) {
        return invalid({"the request has ",
                        std::to_string(inputs.size()),
                        " inputs and ",
                        std::to_string(raw_.size()),
                        " raw_input_contents"});
    }
    if (!contents_.empty()) {
        return invalid({"input ",
                        in_quotes(inputs[contents_[0].input].name),
                        " has contents, and the request has raw_input_contents"});
    }
    for (std::size_t i = 0; i < inputs.size(); ++i)
        LEPTON_RETURN_IF_ERROR(take_raw(inputs[i], raw_[i]));
    return {};
}

Result<> Decoder::take_raw(InputTensor& input, Bytes data) {
    TensorView& tensor = input.tensor;
    LEPTON_TRY(const std::size_t count, element_count(input.name, tensor.dtype, tensor.shape));
    tensor.data = data;
    return check_tensor_bytes(input.name, tensor.dtype, tensor.shape, count, data);
}

Result<> Decoder::read_contents() {
    std::vector<InputTensor>& inputs = request().inputs;
    std::size_t next = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        scratch_.open(i);
        for (; next < contents_.size() && contents_[next].input == i; ++next) {
            LEPTON_RETURN_IF_ERROR(read_tensor_contents(
                contents_[next].message, inputs[i].name, inputs[i].tensor.dtype, scratch_));
        }
    }
    scratch_.place(request());
    for (InputTensor& input : inputs) LEPTON_RETURN_IF_ERROR(take_raw(input, input.tensor.data));
    return {};
}

}  // namespace

bool is_long_to_decode(const memory::Buffer& body) {
    if (body.size() <= kDecodedOnLoop) return false;
    if (body.size() > std::numeric_limits<int>::max()) return true;
    // Raw contents are looked at where they lie; those of strings one by one.
    constexpr int kLookedAt = 1024;
    std::size_t rest = body.size();
    std::size_t of_inputs = 0;
    WireReader reader(body.bytes());
    for (int fields = 0; rest > kDecodedOnLoop && reader.next(); ++fields) {
        if (fields == kLookedAt) return true;
        if (reader.tag() == bytes_tag(7)) {
            rest -= reader.bytes().size();
        } else if (reader.tag() == bytes_tag(5)) {
            const Bytes input = reader.bytes();
            of_inputs += input.size();
            const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
            if (of_inputs > kDecodedOnLoop || text.find("BYTES") != std::string_view::npos) {
                return true;
            }
        } else {
            reader.skip();
        }
    }
    return rest > kDecodedOnLoop;
}

Result<> decode_grpc_infer(net::Exchange& exchange, Request& request, memory::BufferPool& pool) {
    // A thread decodes one exchange after the other.
    thread_local Decoder decoder;
    return decoder.decode(exchange, request, pool);
}

}  // namespace lepton::protocol
