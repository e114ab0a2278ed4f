#include "engines/openvino/string_tensor.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/tensors.h"

namespace lepton::openvino {
namespace {

using lepton::testing::length_prefixed;
using ::testing::HasSubstr;

TEST(StringTensor, IsTheSameAfterBothConversions) {
    const std::vector<std::byte> wire = length_prefixed({"", "a", "two words", "\0\xff"});
    std::vector<std::string> strings(4);
    ASSERT_TRUE(decode_strings(wire, strings, "x"));
    EXPECT_EQ(strings[2], "two words");
    std::vector<std::byte> encoded;
    ASSERT_TRUE(encode_strings(strings, encoded));
    EXPECT_EQ(encoded, wire);
}

TEST(StringTensor, AMissingLengthIsNamed) {
    std::vector<std::string> strings(2);
    const Result<> result = decode_strings(length_prefixed({"a"}), strings, "x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(result.error().message, "input \"x\" ends at element 1 of 2");
}

TEST(StringTensor, ALengthBeyondTheDataIsNamed) {
    std::vector<std::byte> wire = length_prefixed({"abc"});
    wire.pop_back();
    std::vector<std::string> strings(1);
    EXPECT_THAT(decode_strings(wire, strings, "x").error().message,
                HasSubstr("claims 3 bytes, 2 are left"));
}

TEST(StringTensor, BytesAfterTheLastElementAreNamed) {
    std::vector<std::string> strings(1);
    EXPECT_THAT(decode_strings(length_prefixed({"a", "b"}), strings, "x").error().message,
                HasSubstr("5 bytes after its 1 elements"));
}

TEST(StringTensor, BytesThatAreNotUtf8AreRefusedWhereTextIsAskedFor) {
    const std::vector<std::byte> wire = length_prefixed({"a", "\xc3"});
    std::vector<std::string> strings(2);
    EXPECT_TRUE(decode_strings(wire, strings, "x"));
    EXPECT_EQ(decode_strings(wire, strings, "x", StringContent::kUtf8).error().message,
              "element 1 of input \"x\" is not UTF-8 at its byte 0");
}

}  // namespace
}  // namespace lepton::openvino
