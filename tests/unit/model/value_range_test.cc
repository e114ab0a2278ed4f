#include "lepton/model/value_range.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::model {
namespace {

// As the elements of a request lie: anywhere.
template <class Element>
std::optional<MisfitValue> find(const std::vector<Element>& values,
                                DataType dtype,
                                DataType held_in) {
    std::vector<std::byte> bytes(1 + values.size() * sizeof(Element));
    std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(Element));
    return find_misfit(std::span(bytes).subspan(1), dtype, held_in);
}

template <class Element>
void expect_misfit(Element value, DataType dtype, DataType held_in, const std::string& text) {
    // The first and last element, and those around the blocks that are looked at together.
    for (const std::size_t place : {0, 1, 1023, 1024, 1025, 2999}) {
        std::vector<Element> values(3000, Element{7});
        ASSERT_EQ(find(values, dtype, held_in), std::nullopt);
        values[place] = value;
        const auto found = find(values, dtype, held_in);
        ASSERT_NE(found, std::nullopt) << text;
        EXPECT_EQ(found->element, place);
        EXPECT_EQ(found->value, text);
    }
}

TEST(ValueRange, Int64ThatInt32DoesNotHoldIsFoundWhereverItStands) {
    using Limits = std::numeric_limits<std::int64_t>;
    for (const std::int64_t value : {std::int64_t{1} << 31,
                                     -(std::int64_t{1} << 31) - 1,
                                     std::int64_t{1} << 32,
                                     (std::int64_t{1} << 53) + 1,
                                     Limits::max(),
                                     Limits::min()}) {
        expect_misfit(value, DataType::kInt64, DataType::kInt32, std::to_string(value));
    }
    const std::vector<std::int64_t> limits{2147483647, -2147483648, 0, -1};
    EXPECT_EQ(find(limits, DataType::kInt64, DataType::kInt32), std::nullopt);
}

TEST(ValueRange, UnsignedIntegersAreHeldAsFarAsInt32Goes) {
    expect_misfit<std::uint64_t>(
        std::uint64_t{1} << 31, DataType::kUint64, DataType::kInt32, "2147483648");
    expect_misfit(std::numeric_limits<std::uint64_t>::max(),
                  DataType::kUint64,
                  DataType::kInt32,
                  "18446744073709551615");
    expect_misfit<std::uint32_t>(0xFFFFFFFF, DataType::kUint32, DataType::kInt32, "4294967295");
    EXPECT_EQ(find<std::uint64_t>({0, 2147483647}, DataType::kUint64, DataType::kInt32),
              std::nullopt);
    EXPECT_EQ(find<std::uint32_t>({0, 2147483647}, DataType::kUint32, DataType::kInt32),
              std::nullopt);
}

TEST(ValueRange, DoubleBeyondTheLargestFloatIsFound) {
    expect_misfit(1e300, DataType::kFp64, DataType::kFp32, "1.0000000000000001e+300");
    expect_misfit(
        -std::numeric_limits<double>::infinity(), DataType::kFp64, DataType::kFp32, "-inf");
    const std::vector<double> held{
        std::numeric_limits<float>::max(), -0.0, 1e-300, std::numeric_limits<double>::quiet_NaN()};
    EXPECT_EQ(find(held, DataType::kFp64, DataType::kFp32), std::nullopt);
}

TEST(ValueRange, EmptyTensorAndTypesThatNoEngineNarrowsHaveNone) {
    EXPECT_EQ(find_misfit({}, DataType::kInt64, DataType::kInt32), std::nullopt);
    EXPECT_EQ(find<float>({1e30F}, DataType::kFp32, DataType::kFp32), std::nullopt);
}

}  // namespace
}  // namespace lepton::model
