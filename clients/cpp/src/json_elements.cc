#include "json_elements.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "lepton/core/float_text.h"
#include "lepton/core/shape.h"

namespace lepton::client {
namespace {

namespace od = simdjson::ondemand;

class ElementWriter {
public:
    ElementWriter(DataType type, std::span<std::byte> space) : type_(type), space_(space) {}

    bool write(od::value value, std::size_t depth) {
        od::json_type kind{};
        // simdjson knows no type for NaN and Infinity.
        if (value.type().get(kind) != simdjson::SUCCESS || kind != od::json_type::array) {
            return write_scalar(value);
        }
        od::array elements;
        if (depth == Shape::kMaxRank || value.get_array().get(elements) != simdjson::SUCCESS) {
            return false;
        }
        for (auto element : elements) {
            od::value inner;
            if (element.get(inner) != simdjson::SUCCESS || !write(inner, depth + 1)) return false;
        }
        return true;
    }
    [[nodiscard]] std::size_t written() const { return written_; }

private:
    bool put(const void* bytes, std::size_t count) {
        if (count > space_.size() - written_) return false;
        if (count > 0) std::memcpy(space_.data() + written_, bytes, count);
        written_ += count;
        return true;
    }

    template <class T>
    bool write_integer(od::value value) {
        if constexpr (std::is_signed_v<T>) {
            std::int64_t read = 0;
            if (value.get_int64().get(read) != simdjson::SUCCESS ||
                read < std::numeric_limits<T>::min() || read > std::numeric_limits<T>::max()) {
                return false;
            }
            const auto element = static_cast<T>(read);
            return put(&element, sizeof element);
        } else {
            std::uint64_t read = 0;
            if (value.get_uint64().get(read) != simdjson::SUCCESS ||
                read > std::numeric_limits<T>::max()) {
                return false;
            }
            const auto element = static_cast<T>(read);
            return put(&element, sizeof element);
        }
    }

    template <class T>
    bool write_float(od::value value) {
        double read = 0;
        if (value.get_double().get(read) == simdjson::SUCCESS) {
            const auto element = static_cast<T>(read);
            return std::isfinite(element) && put(&element, sizeof element);
        }
        bool null = false;
        std::optional<double> infinite = read_infinite(value.raw_json_token());
        if (value.is_null().get(null) == simdjson::SUCCESS && null) {
            infinite = std::numeric_limits<double>::quiet_NaN();
        }
        if (!infinite) return false;
        const auto element = static_cast<T>(*infinite);
        return put(&element, sizeof element);
    }

    bool write_bool(od::value value) {
        bool read = false;
        if (value.get_bool().get(read) != simdjson::SUCCESS) return false;
        const std::uint8_t element = read ? 1 : 0;
        return put(&element, sizeof element);
    }

    bool write_string(od::value value) {
        std::string_view text;
        if (value.get_string().get(text) != simdjson::SUCCESS) return false;
        const auto length = static_cast<std::uint32_t>(text.size());
        return put(&length, sizeof length) && put(text.data(), text.size());
    }

    bool write_scalar(od::value value) {
        switch (type_) {
            case DataType::kBool:
                return write_bool(value);
            case DataType::kUint8:
                return write_integer<std::uint8_t>(value);
            case DataType::kUint16:
                return write_integer<std::uint16_t>(value);
            case DataType::kUint32:
                return write_integer<std::uint32_t>(value);
            case DataType::kUint64:
                return write_integer<std::uint64_t>(value);
            case DataType::kInt8:
                return write_integer<std::int8_t>(value);
            case DataType::kInt16:
                return write_integer<std::int16_t>(value);
            case DataType::kInt32:
                return write_integer<std::int32_t>(value);
            case DataType::kInt64:
                return write_integer<std::int64_t>(value);
            case DataType::kFp32:
                return write_float<float>(value);
            case DataType::kFp64:
                return write_float<double>(value);
            case DataType::kBytes:
                return write_string(value);
            case DataType::kFp16:
            case DataType::kBf16:
                break;
        }
        return false;
    }

    DataType type_;
    std::span<std::byte> space_;
    std::size_t written_ = 0;
};

}  // namespace

std::optional<std::size_t> write_elements(od::value data,
                                          DataType type,
                                          std::span<std::byte> space) {
    ElementWriter writer(type, space);
    if (!writer.write(data, 0)) return std::nullopt;
    return writer.written();
}

}  // namespace lepton::client
