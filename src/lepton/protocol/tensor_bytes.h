#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lepton/core/data_type.h"
#include "lepton/core/result.h"
#include "lepton/core/shape.h"

namespace lepton::protocol {

// What a request says about an input before its data, checked in itself. The count of elements;
// for fixed-size datatypes the product with the element's size fits std::size_t too.
// Errors: kInvalidArgument for a negative extent and for a product that overflows.
Result<std::size_t> element_count(std::string_view input, DataType dtype, const Shape& shape);

// Whether `data` is a whole tensor of `count` elements in the wire's layout. For BYTES that walks
// the length prefixes. Errors: kInvalidArgument, naming both sizes.
Result<> check_tensor_bytes(std::string_view input,
                            DataType dtype,
                            const Shape& shape,
                            std::size_t count,
                            std::span<const std::byte> data);

// Visits the elements of a BYTES tensor whose layout was checked.
class BytesElements {
public:
    explicit BytesElements(std::span<const std::byte> data) : rest_(data) {}
    // False at the end, and when a length reaches past it.
    bool next(std::string_view& element);
    // True when next() returned false because the data was used up.
    [[nodiscard]] bool complete() const { return rest_.empty(); }
    [[nodiscard]] std::span<const std::byte> rest() const { return rest_; }

private:
    std::span<const std::byte> rest_;
};

inline constexpr std::size_t kBytesPrefix = sizeof(std::uint32_t);

}  // namespace lepton::protocol
