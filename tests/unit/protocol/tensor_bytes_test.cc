#include "lepton/protocol/tensor_bytes.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

TEST(ElementCount, IsTheProductOfTheExtents) {
    EXPECT_EQ(element_count("x", DataType::kFp32, {2, 3}), 6U);
    EXPECT_EQ(element_count("x", DataType::kFp32, {}), 1U);
    EXPECT_EQ(element_count("x", DataType::kFp32, {5, 0}), 0U);
}

TEST(ElementCount, NegativeExtentsAreNamed) {
    const auto count = element_count("x", DataType::kFp32, {2, -1});
    ASSERT_FALSE(count);
    EXPECT_EQ(count.error().message, "input \"x\" has shape [2,-1]; extents must not be negative");
}

TEST(ElementCount, ProductsThatOverflowAreRefused) {
    EXPECT_FALSE(element_count("x", DataType::kBool, {1LL << 40, 1LL << 40}));
    // Fits as a count of elements, but not as one of bytes.
    EXPECT_FALSE(element_count("x", DataType::kFp64, {1LL << 62}));
    EXPECT_TRUE(element_count("x", DataType::kBool, {1LL << 62}));
}

TEST(TensorBytes, SizesMustAgree) {
    const std::string data(7, 'x');
    const auto result = check_tensor_bytes("x", DataType::kFp32, {2}, 2, bytes_of(data));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "input \"x\" has 7 bytes, FP32 of shape [2] asks for 8");
    EXPECT_TRUE(check_tensor_bytes("x", DataType::kBool, {7}, 7, bytes_of(data)));
}

TEST(TensorBytes, ElementsOfBytesAreWalked) {
    const std::string data = raw_strings({"a", "", "longer"});
    EXPECT_TRUE(check_tensor_bytes("x", DataType::kBytes, {3}, 3, bytes_of(data)));
    EXPECT_FALSE(check_tensor_bytes("x", DataType::kBytes, {2}, 2, bytes_of(data)));
    EXPECT_FALSE(check_tensor_bytes("x", DataType::kBytes, {4}, 4, bytes_of(data)));
}

TEST(TensorBytes, LengthsThatReachPastTheEndAreRefused) {
    const std::string whole = raw_strings({"abc", "de"});
    for (std::size_t size = 1; size < whole.size(); ++size) {
        if (size == 7) continue;  // The first element alone.
        const auto result = check_tensor_bytes(
            "x", DataType::kBytes, {2}, 2, bytes_of(std::string_view(whole).substr(0, size)));
        ASSERT_FALSE(result) << size;
        EXPECT_NE(result.error().message.find("reaches past"), std::string::npos);
    }
    const std::string huge = raw<std::uint32_t>({0xFFFFFFFF}) + "abc";
    EXPECT_FALSE(check_tensor_bytes("x", DataType::kBytes, {1}, 1, bytes_of(huge)));
}

}  // namespace
}  // namespace lepton::protocol
