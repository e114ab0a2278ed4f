#include "lepton/protocol/kserve/rest_infer_decode.h"

#include <optional>
#include <string>

#include "lepton/core/float_text.h"
#include "lepton/protocol/json/json_reader.h"
#include "lepton/protocol/json/json_tensor_data.h"
#include "lepton/protocol/kserve/binary_section.h"
#include "lepton/protocol/kserve/infer_parameters.h"
#include "lepton/protocol/kserve/infer_route.h"
#include "lepton/protocol/kserve/raw_binary_request.h"
#include "lepton/protocol/kserve/tensor_scratch.h"
#include "lepton/protocol/tensor_bytes.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

tl::unexpected<Error> invalid(std::initializer_list<std::string_view> pieces) {
    return fail(ErrorCode::kInvalidArgument, concat(pieces));
}

// Clients that write every member they know say null for what their caller did not give.
bool is_left_out(json::value& value) {
    bool is_null = false;
    return !value.is_null().get(is_null) && is_null;
}

// What one element of "inputs" says besides its data.
struct InputHeader {
    std::string_view name;
    std::optional<DataType> dtype;
    Shape shape;
    bool has_shape = false;
    std::optional<std::uint64_t> binary_size;
    // Where the key "data" stands. JSON allows any order: data that comes before its datatype or
    // shape is read when the rest is known.
    const char* data_key = nullptr;
    bool data_is_read = false;
};

// Decodes one request at a time; one per thread, kept for its parser and its lists.
class Decoder {
public:
    Result<> decode(net::Exchange& exchange,
                    Request& request,
                    std::size_t json_size,
                    memory::BufferPool& pool);

private:
    Result<> read_request();
    Result<> read_inputs(json::value value);
    Result<> read_input(json::object object);
    Result<> read_input_field(std::string_view key, json::value value, InputHeader& input);
    Result<> read_input_parameters(json::value value, InputHeader& input);
    Result<> finish_input(json::object object, InputHeader& input);
    Result<> read_late_data(json::object object, InputHeader& input);
    Result<> read_shape(json::value value, InputHeader& input);
    Result<> read_data(json::value value, InputHeader& input);
    Result<> read_outputs(json::value value);
    Result<> read_output(json::object object);
    Result<> read_output_parameters(json::value value, RequestedOutput& output);
    Result<> read_parameters(json::value value);
    Result<> read_parameter(std::string_view name, json::value value);

    // Calls visit(object) for each element of an array of objects.
    template <class Visit>
    Result<> for_each_object(json::value value, std::string_view what, Visit visit);

    JsonReader reader_;
    TensorScratch scratch_;
    net::Exchange* exchange_ = nullptr;
    Request* request_ = nullptr;
    BinarySection binary_;
    std::size_t json_size_ = 0;

    Request& request() { return *request_; }
};

template <class Visit>
Result<> Decoder::for_each_object(json::value value, std::string_view what, Visit visit) {
    LEPTON_TRY(const json::array elements, reader_.as_array(value, what));
    return reader_.for_each_element(elements, [&](json::value element) -> Result<> {
        LEPTON_TRY(const json::object members, reader_.as_object(element, what));
        return visit(members);
    });
}

Result<> Decoder::decode(net::Exchange& exchange,
                         Request& request,
                         std::size_t json_size,
                         memory::BufferPool& pool) {
    exchange_ = &exchange;
    request_ = &request;
    json_size_ = json_size;
    memory::Buffer& body = exchange.message.body;
    binary_.begin();
    scratch_.begin(exchange.scratch, pool);
    Result<> read = reader_.open({body.data(), json_size});
    if (read) read = read_request();
    reader_.close();
    LEPTON_RETURN_IF_ERROR(read);
    scratch_.place(request);
    return binary_.place(body.bytes().subspan(json_size), request);
}

Result<> Decoder::read_request() {
    LEPTON_TRY(const json::object root, reader_.root());
    LEPTON_RETURN_IF_ERROR(
        reader_.for_each_member(root, [this](std::string_view key, json::value value) -> Result<> {
            if (key == "inputs") return read_inputs(value);
            if (key == "outputs" && !is_left_out(value)) return read_outputs(value);
            if (key == "parameters" && !is_left_out(value)) return read_parameters(value);
            if (key == "id" && !is_left_out(value)) {
                LEPTON_TRY(request().id, reader_.as_text(value, "\"id\""));
            }
            return {};
        }));
    if (!reader_.at_end()) return invalid({"malformed JSON: more follows the request object"});
    return {};
}

Result<> Decoder::read_inputs(json::value value) {
    if (!request().inputs.empty()) return invalid({"the request has \"inputs\" twice"});
    return for_each_object(value, "\"inputs\"", [this](json::object o) { return read_input(o); });
}

Result<> Decoder::read_input(json::object object) {
    InputHeader input;
    LEPTON_RETURN_IF_ERROR(check_entries(request().inputs.size(), "inputs"));
    request().inputs.emplace_back();
    LEPTON_RETURN_IF_ERROR(
        reader_.for_each_member(object, [&](std::string_view key, json::value value) {
            return read_input_field(key, value, input);
        }));
    return finish_input(object, input);
}

Result<> Decoder::read_input_field(std::string_view key, json::value value, InputHeader& input) {
    if (key == "name") {
        LEPTON_TRY(input.name, reader_.as_text(value, "\"name\" of an input"));
    } else if (key == "datatype") {
        LEPTON_TRY(const std::string_view name, reader_.as_text(value, "\"datatype\" of an input"));
        input.dtype = parse_data_type(name);
        if (!input.dtype) {
            return invalid({"input ",
                            in_quotes(input.name),
                            " has datatype ",
                            in_quotes(name),
                            ", which the protocol does not have"});
        }
    } else if (key == "shape") {
        return read_shape(value, input);
    } else if (key == "parameters") {
        if (!is_left_out(value)) return read_input_parameters(value, input);
    } else if (key == "data") {
        if (input.data_key != nullptr) {
            return invalid({"input ", in_quotes(input.name), " has \"data\" twice"});
        }
        input.data_key = key.data();
        if (input.dtype && input.has_shape && !input.name.empty()) return read_data(value, input);
    }
    return {};
}

Result<> Decoder::read_shape(json::value value, InputHeader& input) {
    LEPTON_TRY(json::array dims, reader_.as_array(value, "\"shape\" of an input"));
    input.shape.clear();
    input.has_shape = true;
    for (auto item : dims) {
        json::value element;
        std::int64_t dim = 0;
        if (const auto error = std::move(item).get(element)) {
            return tl::unexpected(reader_.malformed(error));
        }
        if (element.get_int64().get(dim)) {
            return invalid({"input ",
                            in_quotes(input.name),
                            ": \"shape\" holds ",
                            excerpt(element),
                            "; it must hold whole numbers"});
        }
        if (!input.shape.push_back(dim)) {
            return invalid({"input ",
                            in_quotes(input.name),
                            ": \"shape\" has more than ",
                            std::to_string(Shape::kMaxRank),
                            " extents"});
        }
    }
    return {};
}

Result<> Decoder::read_input_parameters(json::value value, InputHeader& input) {
    LEPTON_TRY(const json::object parameters,
               reader_.as_object(value, "\"parameters\" of an input"));
    return reader_.for_each_member(parameters,
                                   [&](std::string_view key, json::value parameter) -> Result<> {
                                       if (key != "binary_data_size")
                                           return check_tensor_parameter(input.name, key);
                                       std::uint64_t size = 0;
                                       if (parameter.get_uint64().get(size)) {
                                           return invalid({"input ",
                                                           in_quotes(input.name),
                                                           ": \"binary_data_size\" is ",
                                                           excerpt(parameter),
                                                           "; it must be a count of bytes"});
                                       }
                                       input.binary_size = size;
                                       return {};
                                   });
}

Result<> Decoder::finish_input(json::object object, InputHeader& input) {
    if (input.name.empty()) return invalid({"an input has no \"name\""});
    if (!input.dtype) return invalid({"input ", in_quotes(input.name), " has no \"datatype\""});
    if (!input.has_shape) return invalid({"input ", in_quotes(input.name), " has no \"shape\""});
    const bool has_data = input.data_key != nullptr;
    if (has_data == input.binary_size.has_value()) {
        return invalid({"input ",
                        in_quotes(input.name),
                        has_data ? " has both" : " has neither",
                        " \"data\" and parameter \"binary_data_size\""});
    }
    if (input.binary_size) {
        request().inputs.back() = {input.name, {*input.dtype, input.shape, {}}};
        binary_.expect(request().inputs.size() - 1, *input.binary_size);
        return {};
    }
    if (input.data_is_read) return {};
    return read_late_data(object, input);
}

// Keys are told by their place: their text may have been rewritten on the first way through.
Result<> Decoder::read_late_data(json::object object, InputHeader& input) {
    if (const auto error = object.reset().error()) return tl::unexpected(reader_.malformed(error));
    for (auto item : object) {
        json::field field;
        if (const auto error = std::move(item).get(field)) {
            return tl::unexpected(reader_.malformed(error));
        }
        if (field.key().raw() == input.data_key) return read_data(field.value(), input);
    }
    return {};
}

Result<> Decoder::read_data(json::value value, InputHeader& input) {
    input.data_is_read = true;
    LEPTON_TRY(const std::size_t count, element_count(input.name, *input.dtype, input.shape));
    if (count > json_size_) {
        return invalid({"input ",
                        in_quotes(input.name),
                        ": shape ",
                        to_string(input.shape),
                        " asks for ",
                        std::to_string(count),
                        " elements, more than the text has bytes"});
    }
    const std::size_t index = request().inputs.size() - 1;
    request().inputs[index] = {input.name, {*input.dtype, input.shape, {}}};
    scratch_.open(index);
    return read_json_tensor(reader_, value, input.name, *input.dtype, count, scratch_);
}

Result<> Decoder::read_outputs(json::value value) {
    return for_each_object(value, "\"outputs\"", [this](json::object o) { return read_output(o); });
}

Result<> Decoder::read_output(json::object object) {
    RequestedOutput output;
    LEPTON_RETURN_IF_ERROR(
        reader_.for_each_member(object, [&](std::string_view key, json::value value) -> Result<> {
            if (key == "name") {
                LEPTON_TRY(output.name, reader_.as_text(value, "\"name\" of an output"));
            } else if (key == "parameters" && !is_left_out(value)) {
                return read_output_parameters(value, output);
            }
            return {};
        }));
    if (output.name.empty()) return invalid({"a requested output has no \"name\""});
    LEPTON_RETURN_IF_ERROR(check_entries(request().outputs.size(), "outputs"));
    request().outputs.push_back(output);
    return {};
}

Result<> Decoder::read_output_parameters(json::value value, RequestedOutput& output) {
    LEPTON_TRY(const json::object parameters,
               reader_.as_object(value, "\"parameters\" of an output"));
    return reader_.for_each_member(parameters,
                                   [&](std::string_view key, json::value parameter) -> Result<> {
                                       if (key != "binary_data")
                                           return check_tensor_parameter(output.name, key);
                                       bool binary = false;
                                       if (parameter.get_bool().get(binary)) {
                                           return invalid({"output ",
                                                           in_quotes(output.name),
                                                           ": \"binary_data\" is ",
                                                           excerpt(parameter),
                                                           "; it must be true or false"});
                                       }
                                       output.binary_data = binary;
                                       return {};
                                   });
}

Result<> Decoder::read_parameters(json::value value) {
    LEPTON_TRY(const json::object parameters,
               reader_.as_object(value, "\"parameters\" of the request"));
    return reader_.for_each_member(parameters,
                                   [this](std::string_view name, json::value parameter) {
                                       return read_parameter(name, parameter);
                                   });
}

Result<> Decoder::read_parameter(std::string_view name, json::value value) {
    Parameter parameter{.name = name, .value = false};
    json::number number;
    bool flag = false;
    std::string_view word;
    if (!reader_.text(value).get(word)) {
        parameter.value = word;
    } else if (!value.get_bool().get(flag)) {
        parameter.value = flag;
    } else if (!value.get_number().get(number)) {
        if (number.is_int64())
            parameter.value = number.get_int64();
        else if (number.is_uint64())
            parameter.value = number.get_uint64();
        else
            parameter.value = number.get_double();
    } else if (const auto infinite = read_infinite(value.raw_json_token())) {
        parameter.value = *infinite;
    } else {
        return invalid({"parameter ",
                        in_quotes(name),
                        " is ",
                        excerpt(value),
                        "; it must be a string, a number, true or false"});
    }
    return apply_request_parameter(parameter, exchange_->message.arrival(), request());
}

// The bytes of the JSON part; 0 for a raw binary request.
Result<std::size_t> json_part(const InferFields& fields, std::size_t body_size) {
    if (fields.header_length.data() == nullptr) return body_size;
    const auto size = parse_integer<std::size_t>(fields.header_length);
    if (size && *size <= body_size) return *size;
    return invalid({"header inference-header-content-length is ",
                    in_quotes(fields.header_length),
                    "; it must be a count of bytes up to the body's ",
                    std::to_string(body_size)});
}

}  // namespace

bool is_long_to_decode(const net::Message& message, const InferFields& fields) {
    const std::size_t size = message.body.size();
    if (size <= kDecodedOnLoop) return false;
    const std::size_t json_size = json_part(fields, size).value_or(0);
    if (json_size > kDecodedOnLoop) return true;
    // The rest are bytes that are looked at where they lie; those of strings one by one. A string
    // may be spelled with escapes.
    const std::string_view json = message.body.text().substr(0, json_size);
    return json.empty() || json.find("BYTES") != std::string_view::npos ||
           json.find('\\') != std::string_view::npos;
}

Result<> decode_rest_infer(net::Exchange& exchange,
                           Request& request,
                           const InferFields& fields,
                           memory::BufferPool& pool,
                           const ModelCatalog& catalog) {
    // A thread decodes one exchange after the other.
    thread_local Decoder decoder;
    const std::size_t body_size = exchange.message.body.size();
    LEPTON_TRY(const std::size_t json_size, json_part(fields, body_size));
    if (json_size > 0) return decoder.decode(exchange, request, json_size, pool);
    if (fields.header_length.data() != nullptr)
        return decode_raw_binary(exchange, request, pool, catalog);
    return invalid({"the request has no body"});
}

}  // namespace lepton::protocol
