#include "lepton/protocol/json/json_tensor_data.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "lepton/core/float_text.h"
#include "lepton/core/shape.h"
#include "lepton/protocol/tensor_bytes.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

// One level more than a shape can have extents, for those who put a batch around it.
constexpr int kMaxNesting = static_cast<int>(Shape::kMaxRank) + 1;

// What simdjson takes for no number of double's range. A null stands for NaN: so JavaScript writes
// it, and data frames a value that is missing.
std::optional<double> unusual_float(json::value& value) {
    bool null = false;
    if (!value.is_null().get(null) && null) return std::numeric_limits<double>::quiet_NaN();
    return read_infinite(value.raw_json_token());
}

template <class T>
simdjson::error_code parse(json::value& value, T& element) {
    if constexpr (std::is_same_v<T, bool>) {
        return value.get_bool().get(element);
    } else if constexpr (std::is_floating_point_v<T>) {
        double number = 0;
        if (const auto error = value.get_double().get(number)) [[unlikely]] {
            const std::optional<double> unusual = unusual_float(value);
            if (!unusual) return error;
            element = static_cast<T>(*unusual);
            return simdjson::SUCCESS;
        }
        element = static_cast<T>(number);
        return std::isfinite(element) ? simdjson::SUCCESS : simdjson::NUMBER_OUT_OF_RANGE;
    } else if constexpr (std::is_signed_v<T>) {
        std::int64_t number = 0;
        if (const auto error = value.get_int64().get(number)) return error;
        element = static_cast<T>(number);
        return element == number ? simdjson::SUCCESS : simdjson::NUMBER_OUT_OF_RANGE;
    } else {
        std::uint64_t number = 0;
        if (const auto error = value.get_uint64().get(number)) return error;
        element = static_cast<T>(number);
        return element == number ? simdjson::SUCCESS : simdjson::NUMBER_OUT_OF_RANGE;
    }
}

template <class T>
std::string expectation() {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    if constexpr (std::is_floating_point_v<T>)
        return "numbers in its range, NaN, Infinity, -Infinity";
    return concat({"whole numbers from ",
                   std::to_string(std::numeric_limits<T>::min()),
                   " to ",
                   std::to_string(std::numeric_limits<T>::max())});
}

// What the walk through the array needs, whatever the elements are.
struct Walk {
    JsonReader& reader;
    std::string_view input;
    DataType dtype;
    std::size_t count;
    std::size_t found = 0;

    tl::unexpected<Error> bad_element(json::value& value, std::string_view expected) const {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"input ",
                            in_quotes(input),
                            ": element ",
                            std::to_string(found),
                            " is ",
                            excerpt(value),
                            "; ",
                            to_string(dtype),
                            " takes ",
                            expected}));
    }
    tl::unexpected<Error> wrong_count(std::string_view found_text) const {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"input ",
                            in_quotes(input),
                            " has ",
                            found_text,
                            " elements, its shape asks for ",
                            std::to_string(count)}));
    }
};

template <class T>
class Numbers {
public:
    Numbers(const Walk& walk, TensorScratch& scratch)
        : next_(walk.count == 0 ? nullptr : scratch.extend(walk.count * sizeof(T))) {}

    Result<> add(const Walk& walk, json::value& value) {
        T element{};
        if (parse(value, element)) [[unlikely]]
            return walk.bad_element(value, expectation<T>());
        std::memcpy(next_, &element, sizeof(T));
        next_ += sizeof(T);
        return {};
    }

private:
    std::byte* next_;
};

class Strings {
public:
    explicit Strings(TensorScratch& scratch) : scratch_(scratch) {}

    Result<> add(const Walk& walk, json::value& value) {
        json::raw_json_string raw;
        if (value.get_raw_json_string().get(raw)) return walk.bad_element(value, "strings");
        // The token counts both quotes and every escape: the element is no longer than that.
        const std::size_t room = value.raw_json_token().size() + simdjson::SIMDJSON_PADDING;
        std::byte* start = scratch_.extend(kBytesPrefix + room);
        std::string_view element;
        if (const auto error = walk.reader.unescape(raw, start + kBytesPrefix).get(element)) {
            return tl::unexpected(walk.reader.malformed(error));
        }
        const auto length = static_cast<std::uint32_t>(element.size());
        std::memcpy(start, &length, kBytesPrefix);
        scratch_.shrink(room - element.size());
        return {};
    }

private:
    TensorScratch& scratch_;
};

template <class Elements>
Result<> add_all(Walk& walk, Elements& elements, json::array array, int depth) {
    if (depth > kMaxNesting) {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"input ",
                            in_quotes(walk.input),
                            ": \"data\" nests more than ",
                            std::to_string(kMaxNesting),
                            " arrays"}));
    }
    return walk.reader.for_each_element(array, [&](json::value value) -> Result<> {
        json::array inner;
        const auto error = value.get_array().get(inner);
        if (!error) return add_all(walk, elements, inner, depth + 1);
        if (error != simdjson::INCORRECT_TYPE) return tl::unexpected(walk.reader.malformed(error));
        if (walk.found == walk.count) return walk.wrong_count("more");
        LEPTON_RETURN_IF_ERROR(elements.add(walk, value));
        ++walk.found;
        return {};
    });
}

template <class Elements>
Result<> add_all(Walk& walk, Elements elements, json::array array) {
    LEPTON_RETURN_IF_ERROR(add_all(walk, elements, array, 1));
    if (walk.found != walk.count) return walk.wrong_count(std::to_string(walk.found));
    return {};
}

}  // namespace

Result<> read_json_tensor(JsonReader& reader,
                          json::value data,
                          std::string_view input,
                          DataType dtype,
                          std::size_t count,
                          TensorScratch& scratch) {
    if (dtype == DataType::kFp16 || dtype == DataType::kBf16) {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"input ",
                            in_quotes(input),
                            " is ",
                            to_string(dtype),
                            ", which JSON cannot carry; send it as binary data"}));
    }
    LEPTON_TRY(const json::array array, reader.as_array(data, "\"data\" of an input"));
    Walk walk{.reader = reader, .input = input, .dtype = dtype, .count = count};
    switch (dtype) {
        case DataType::kBool:
            return add_all(walk, Numbers<bool>(walk, scratch), array);
        case DataType::kUint8:
            return add_all(walk, Numbers<std::uint8_t>(walk, scratch), array);
        case DataType::kUint16:
            return add_all(walk, Numbers<std::uint16_t>(walk, scratch), array);
        case DataType::kUint32:
            return add_all(walk, Numbers<std::uint32_t>(walk, scratch), array);
        case DataType::kUint64:
            return add_all(walk, Numbers<std::uint64_t>(walk, scratch), array);
        case DataType::kInt8:
            return add_all(walk, Numbers<std::int8_t>(walk, scratch), array);
        case DataType::kInt16:
            return add_all(walk, Numbers<std::int16_t>(walk, scratch), array);
        case DataType::kInt32:
            return add_all(walk, Numbers<std::int32_t>(walk, scratch), array);
        case DataType::kInt64:
            return add_all(walk, Numbers<std::int64_t>(walk, scratch), array);
        case DataType::kFp32:
            return add_all(walk, Numbers<float>(walk, scratch), array);
        case DataType::kFp64:
            return add_all(walk, Numbers<double>(walk, scratch), array);
        case DataType::kBytes:
            return add_all(walk, Strings(scratch), array);
        case DataType::kFp16:
        case DataType::kBf16:
            break;  // Refused above.
    }
    return {};
}

}  // namespace lepton::protocol
