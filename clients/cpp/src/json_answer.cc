#include "json_answer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <simdjson.h>

#include "exchange.h"
#include "json_elements.h"

namespace lepton::client {

namespace od = simdjson::ondemand;
static_assert(JsonAnswer::kPadding >= simdjson::SIMDJSON_PADDING);

namespace {

bool is_of_a_number(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
}

// Replaces what begins like a number, NaN or Infinity outside of strings by a zero. Everything
// around it stays where it is.
void blank_numbers(std::string& json) {
    bool in_string = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (in_string) {
            if (c == '\\') ++i;
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        if (std::string_view("-0123456789NI").find(c) == std::string_view::npos) continue;
        json[i] = '0';
        for (; i + 1 < json.size() && is_of_a_number(json[i + 1]); ++i) json[i + 1] = ' ';
    }
}

}  // namespace

struct JsonAnswer::Parser {
    od::parser ondemand;
    od::document document;
    simdjson::dom::parser dom;

    // The text is validated as a whole first: on demand, simdjson trusts what it has skipped, and
    // reads beyond malformed text.
    bool open(std::string_view json, od::object& object) {
        return is_valid(json) &&
               ondemand.iterate(json.data(), json.size(), json.size() + kPadding).get(document) ==
                   simdjson::SUCCESS &&
               document.get_object().get(object) == simdjson::SUCCESS;
    }

private:
    bool is_valid(std::string_view json) {
        simdjson::dom::object object;
        if (dom.parse(json.data(), json.size(), false).get(object) == simdjson::SUCCESS) {
            return true;
        }
        // Servers write NaN and Infinity, and numbers that do not fit 64 bits, which are not JSON
        // or which simdjson does not read. Each is parsed where it is wanted; here only the rest
        // is.
        std::string without(json);
        blank_numbers(without);
        without.append(kPadding, ' ');
        return dom.parse(without.data(), json.size(), false).get(object) == simdjson::SUCCESS;
    }
};

namespace {

tl::unexpected<Error> no_answer(std::string_view what) {
    return fail(ErrorCode::kInternal, "the answer is no KServe v2 response: " + std::string(what));
}

// Whether the field is merely missing. After any other error, in the text itself, simdjson gives
// the document up, and no handle into it may be used again.
bool is_absent(od::document& document, simdjson::error_code error) {
    return document.is_alive() &&
           (error == simdjson::NO_SUCH_FIELD || error == simdjson::INCORRECT_TYPE);
}

bool get(od::object& object, std::string_view key, od::value& value) {
    return object.find_field_unordered(key).get(value) == simdjson::SUCCESS;
}

// Unescapes a string where it stands in the buffer: it does not get longer.
bool view_in_place(od::value value, std::string_view& text) {
    const std::string_view token = value.raw_json_token();
    std::string_view unescaped;
    if (value.get_string().get(unescaped) != simdjson::SUCCESS) return false;
    char* const place = const_cast<char*>(token.data()) + 1;  // Just after the quote.
    if (!unescaped.empty()) std::memmove(place, unescaped.data(), unescaped.size());
    text = {place, unescaped.size()};
    return true;
}

bool read_optional(od::document& document,
                   od::object& object,
                   std::string_view key,
                   std::string_view& text) {
    od::value value;
    const simdjson::error_code error = object.find_field_unordered(key).get(value);
    if (error != simdjson::SUCCESS) return is_absent(document, error);
    bool null = false;
    if (value.is_null().get(null) != simdjson::SUCCESS) return false;
    return null || view_in_place(value, text);
}

bool read_string(od::document& document,
                 od::object& object,
                 std::string_view key,
                 std::string& text,
                 bool optional = false) {
    text.clear();
    std::string_view view;
    const simdjson::error_code error = object.find_field_unordered(key).get_string().get(view);
    if (error != simdjson::SUCCESS) return optional && is_absent(document, error);
    text = view;
    return true;
}

bool read_type(od::object& object, DataType& type) {
    std::string_view name;
    if (object.find_field_unordered("datatype").get_string().get(name) != simdjson::SUCCESS) {
        return false;
    }
    const auto parsed = parse_data_type(name);
    if (parsed) type = *parsed;
    return parsed.has_value();
}

bool read_shape(od::object& object, Shape& shape) {
    shape.clear();
    od::array extents;
    if (object.find_field_unordered("shape").get_array().get(extents) != simdjson::SUCCESS) {
        return false;
    }
    for (auto element : extents) {
        std::int64_t extent = 0;
        if (element.get_int64().get(extent) != simdjson::SUCCESS || !shape.push_back(extent)) {
            return false;
        }
    }
    return true;
}

// Where the outputs' data is: after the JSON, or at the tail for what stands in the JSON.
struct DataPlaces {
    ByteBuffer& bytes;
    std::size_t binary_at;
    std::size_t binary_end;
    std::size_t tail_at;
};

bool read_binary_size(od::document& document,
                      od::object& output,
                      std::uint64_t& size,
                      bool& binary) {
    od::object parameters;
    simdjson::error_code error =
        output.find_field_unordered("parameters").get_object().get(parameters);
    if (error == simdjson::SUCCESS) {
        error = parameters.find_field_unordered("binary_data_size").get_uint64().get(size);
    }
    binary = error == simdjson::SUCCESS;
    return binary || is_absent(document, error);
}

Result<> read_data(od::document& document, od::object& object, Output& output, DataPlaces& places) {
    std::uint64_t size = 0;
    bool binary = false;
    if (!read_binary_size(document, object, size, binary)) {
        return no_answer("output \"" + std::string(output.name) + "\" has malformed parameters");
    }
    if (binary) {
        if (size > places.binary_end - places.binary_at) {
            return no_answer("output \"" + std::string(output.name) + "\" has " +
                             std::to_string(size) + " bytes of data, but " +
                             std::to_string(places.binary_end - places.binary_at) + " came");
        }
        output.data = {places.bytes.data() + places.binary_at, size};
        places.binary_at += size;
        return {};
    }
    od::value data;
    if (!get(object, "data", data)) {
        return no_answer("output \"" + std::string(output.name) + "\" has no data");
    }
    places.tail_at = (places.tail_at + kOutputAlignment - 1) & ~(kOutputAlignment - 1);
    const std::span<std::byte> tail{places.bytes.data() + places.tail_at,
                                    places.bytes.capacity() - places.tail_at};
    const auto written = write_elements(data, output.dtype, tail);
    if (!written) {
        return no_answer("output \"" + std::string(output.name) + "\" has data that are not " +
                         std::string(to_string(output.dtype)));
    }
    output.data = tail.first(*written);
    places.tail_at += *written;
    return {};
}

Result<> check_size(const Output& output) {
    const auto elements = output.shape.element_count();
    if (!elements) return no_answer("output \"" + std::string(output.name) + "\" has open extents");
    if (output.dtype == DataType::kBytes) return {};
    if (output.data.size() / element_bytes(output.dtype) != static_cast<std::size_t>(*elements) ||
        output.data.size() % element_bytes(output.dtype) != 0) {
        return no_answer("output \"" + std::string(output.name) + "\" has " +
                         std::to_string(output.data.size()) + " bytes, which are not " +
                         std::string(to_string(output.dtype)) + " " + to_string(output.shape));
    }
    return {};
}

Result<> read_output(od::document& document,
                     od::object& object,
                     Output& output,
                     DataPlaces& places) {
    od::value name;
    if (!get(object, "name", name) || !view_in_place(name, output.name)) {
        return no_answer("an output has no name");
    }
    if (!read_type(object, output.dtype)) {
        return no_answer("output \"" + std::string(output.name) + "\" has no known datatype");
    }
    if (!read_shape(object, output.shape)) {
        return no_answer("output \"" + std::string(output.name) + "\" has no shape");
    }
    LEPTON_RETURN_IF_ERROR(read_data(document, object, output, places));
    return check_size(output);
}

bool read_specs(od::document& document,
                od::object& object,
                std::string_view key,
                std::vector<TensorSpec>& specs) {
    specs.clear();
    od::array tensors;
    if (object.find_field_unordered(key).get_array().get(tensors) != simdjson::SUCCESS) {
        return false;
    }
    for (auto element : tensors) {
        od::object tensor;
        if (element.get_object().get(tensor) != simdjson::SUCCESS) return false;
        TensorSpec spec;
        if (!read_string(document, tensor, "name", spec.name) || !read_type(tensor, spec.dtype) ||
            !read_shape(tensor, spec.shape)) {
            return false;
        }
        specs.push_back(std::move(spec));
    }
    return true;
}

bool read_strings(od::document& document,
                  od::object& object,
                  std::string_view key,
                  std::vector<std::string>& list,
                  bool optional = false) {
    list.clear();
    od::array elements;
    const simdjson::error_code error = object.find_field_unordered(key).get_array().get(elements);
    if (error != simdjson::SUCCESS) return optional && is_absent(document, error);
    for (auto element : elements) {
        std::string_view text;
        if (element.get_string().get(text) != simdjson::SUCCESS) return false;
        list.emplace_back(text);
    }
    return true;
}

void read_properties(od::document& document, od::object& object, ModelInfo& model) {
    model.properties.clear();
    od::object properties;
    if (object.find_field_unordered("parameters").get_object().get(properties) !=
        simdjson::SUCCESS) {
        return;
    }
    for (auto property : properties) {
        std::string_view key;
        if (property.unescaped_key().get(key) != simdjson::SUCCESS) return;
        std::string name(key);
        std::string_view text;
        const simdjson::error_code error = property.value().get_string().get(text);
        if (error != simdjson::SUCCESS) {
            if (!is_absent(document, error)) return;
            continue;
        }
        model.properties.emplace_back(std::move(name), text);
    }
}

}  // namespace

JsonAnswer::JsonAnswer() : parser_(std::make_unique<Parser>()) {}
JsonAnswer::~JsonAnswer() = default;

Result<> JsonAnswer::read_infer(InferResult::Contents& contents,
                                std::size_t body_at,
                                std::size_t json_bytes) {
    const std::size_t body_end = contents.bytes.size();
    const auto* const json = reinterpret_cast<const char*>(contents.bytes.data() + body_at);
    od::document& document = parser_->document;
    od::object object;
    if (!parser_->open({json, json_bytes}, object)) return no_answer("it is no JSON object");
    if (!read_optional(document, object, "model_name", contents.model_name) ||
        !read_optional(document, object, "model_version", contents.model_version) ||
        !read_optional(document, object, "id", contents.id)) {
        return no_answer("its model_name, model_version or id is not a string");
    }
    od::array outputs;
    if (object.find_field_unordered("outputs").get_array().get(outputs) != simdjson::SUCCESS) {
        return no_answer("it has no outputs");
    }
    // The tail begins after what aligning the outputs may take.
    DataPlaces places{
        contents.bytes, body_at + json_bytes, body_end, body_end + kPadding + json_bytes};
    for (auto element : outputs) {
        od::object output;
        if (element.get_object().get(output) != simdjson::SUCCESS) {
            return no_answer("an output is no JSON object");
        }
        LEPTON_RETURN_IF_ERROR(
            read_output(document, output, contents.outputs.emplace_back(), places));
    }
    if (places.binary_at != body_end) {
        return no_answer(std::to_string(body_end - places.binary_at) +
                         " bytes belong to no output");
    }
    align_outputs(contents);
    return {};
}

Result<> JsonAnswer::read_model(std::string_view json, ModelInfo& model) {
    od::document& document = parser_->document;
    od::object object;
    if (!parser_->open(json, object)) return no_answer("it is no JSON object");
    if (!read_string(document, object, "name", model.name)) return no_answer("it has no name");
    if (!read_string(document, object, "platform", model.platform, true) ||
        !read_strings(document, object, "versions", model.versions, true)) {
        return no_answer("its platform or its versions are malformed");
    }
    if (!read_specs(document, object, "inputs", model.inputs))
        return no_answer("its inputs are not known");
    if (!read_specs(document, object, "outputs", model.outputs)) {
        return no_answer("its outputs are not known");
    }
    read_properties(document, object, model);
    return {};
}

Result<> JsonAnswer::read_models(std::string_view json, std::vector<std::string>& models) {
    od::document& document = parser_->document;
    od::object object;
    if (!parser_->open(json, object) || !read_strings(document, object, "models", models)) {
        return fail(ErrorCode::kUnsupported,
                    "the server does not list its models; name one in the request");
    }
    return {};
}

std::optional<std::string> JsonAnswer::read_error(std::string_view json) {
    od::document& document = parser_->document;
    od::object object;
    std::string text;
    if (parser_->open(json, object) && read_string(document, object, "error", text)) return text;
    return std::nullopt;
}

}  // namespace lepton::client
