#include "lepton/inference.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "exchange.h"
#include "lepton/client.h"

namespace lepton {
namespace {

TEST(Input, LooksAtTheValuesOfTheCaller) {
    const std::vector<float> values = {1, 2, 3};
    const Input input = make_input("x", values, {1, 3});
    EXPECT_EQ(input.dtype, DataType::kFp32);
    EXPECT_EQ(input.data.data(), reinterpret_cast<const std::byte*>(values.data()));
    EXPECT_EQ(input.data.size(), 12u);
}

TEST(Output, AnotherTypeThanItsOwnIsRefused) {
    const std::vector<float> values = {1, 2, 3};
    const Output output{"x", DataType::kFp32, {3}, std::as_bytes(std::span(values))};
    EXPECT_EQ(output.as<float>()[2], 3);
    EXPECT_THROW((void)output.as<double>(), std::invalid_argument);
}

TEST(BytesTensor, ElementsComeBackAsTheyWere) {
    BytesTensor tensor;
    tensor.add("a");
    tensor.add("");
    tensor.add("bcd");
    const Input input = tensor.input("x");
    EXPECT_EQ(input.shape, Shape({3}));
    const Output output{"x", DataType::kBytes, {3}, input.data};
    EXPECT_EQ(output.strings(), (std::vector<std::string_view>{"a", "", "bcd"}));
}

TEST(Output, BytesCutShortAreRefused) {
    BytesTensor tensor;
    tensor.add("abc");
    const Output output{"x", DataType::kBytes, {1}, tensor.data().first(6)};
    EXPECT_THROW((void)output.strings(), std::invalid_argument);
}

TEST(InferResult, UnknownOutputIsNamedWithThoseThatThereAre) {
    InferResult result;
    result.contents().outputs.push_back({"y", DataType::kFp32, {}, {}});
    EXPECT_EQ(result.find("z"), nullptr);
    try {
        (void)result["z"];
        FAIL();
    } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "the answer of model \"\" has no output \"z\"; it has: y");
    }
}

}  // namespace
}  // namespace lepton
