#include "lepton/protocol/tensor_bytes.h"

#include <bit>
#include <cstring>
#include <string>

#include "lepton/protocol/text.h"

namespace lepton::protocol {

// The wire is little-endian, and tensors are read in place.
static_assert(std::endian::native == std::endian::little);

Result<std::size_t> element_count(std::string_view input, DataType dtype, const Shape& shape) {
    for (const std::int64_t dim : shape.dims()) {
        if (dim < 0) {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"input ",
                                in_quotes(input),
                                " has shape ",
                                to_string(shape),
                                "; extents must not be negative"}));
        }
    }
    const auto count = shape.element_count();
    std::size_t bytes = 0;
    if (!count ||
        __builtin_mul_overflow(static_cast<std::size_t>(*count), element_bytes(dtype), &bytes)) {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"input ",
                            in_quotes(input),
                            " has shape ",
                            to_string(shape),
                            ", which overflows 64 bits"}));
    }
    return static_cast<std::size_t>(*count);
}

namespace {

Result<> check_bytes_elements(std::string_view input,
                              const Shape& shape,
                              std::size_t count,
                              std::span<const std::byte> data) {
    BytesElements elements(data);
    std::size_t found = 0;
    for (std::string_view element; elements.next(element);) ++found;
    if (!elements.complete()) {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"input ",
                            in_quotes(input),
                            " of BYTES: the length of element ",
                            std::to_string(found),
                            " reaches past the ",
                            std::to_string(data.size()),
                            " bytes of the tensor"}));
    }
    if (found != count) {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"input ",
                            in_quotes(input),
                            " has ",
                            std::to_string(found),
                            " elements, its shape ",
                            to_string(shape),
                            " asks for ",
                            std::to_string(count)}));
    }
    return {};
}

}  // namespace

Result<> check_tensor_bytes(std::string_view input,
                            DataType dtype,
                            const Shape& shape,
                            std::size_t count,
                            std::span<const std::byte> data) {
    if (dtype == DataType::kBytes) return check_bytes_elements(input, shape, count, data);
    const std::size_t expected = count * element_bytes(dtype);
    if (data.size() == expected) return {};
    return fail(ErrorCode::kInvalidArgument,
                concat({"input ",
                        in_quotes(input),
                        " has ",
                        std::to_string(data.size()),
                        " bytes, ",
                        to_string(dtype),
                        " of shape ",
                        to_string(shape),
                        " asks for ",
                        std::to_string(expected)}));
}

bool BytesElements::next(std::string_view& element) {
    std::uint32_t length = 0;
    if (rest_.size() < kBytesPrefix) return false;
    std::memcpy(&length, rest_.data(), kBytesPrefix);
    if (length > rest_.size() - kBytesPrefix) return false;
    element = {reinterpret_cast<const char*>(rest_.data()) + kBytesPrefix, length};
    rest_ = rest_.subspan(kBytesPrefix + length);
    return true;
}

}  // namespace lepton::protocol
