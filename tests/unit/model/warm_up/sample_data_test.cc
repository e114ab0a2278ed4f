#include "lepton/model/warm_up/sample_data.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/tensors.h"

namespace lepton::model {
namespace {

using lepton::testing::values_of;

TEST(SampleData, ARowIsTheSameHoweverManyAreAskedFor) {
    const std::vector<TensorSpec> inputs{{"x", DataType::kFp32, {-1, 8}}};
    const SampleData both(inputs, true, 0, 2, 1);
    const SampleData second(inputs, true, 1, 1, 1);
    const std::vector<float> all = values_of<float>(both.inputs()[0]);
    EXPECT_EQ(both.inputs()[0].shape, (Shape{2, 8}));
    EXPECT_EQ(std::vector<float>(all.begin() + 8, all.end()), values_of<float>(second.inputs()[0]));
    EXPECT_NE(std::vector<float>(all.begin(), all.begin() + 8),
              values_of<float>(second.inputs()[0]));
}

TEST(SampleData, FloatsAreInTheUnitIntervalAndIntegersOne) {
    const std::vector<TensorSpec> inputs{{"x", DataType::kFp32, {100}},
                                         {"ids", DataType::kInt64, {100}},
                                         {"flags", DataType::kBool, {100}}};
    const SampleData sample(inputs, false, 0, 1, 1);
    for (const float value : values_of<float>(sample.inputs()[0])) {
        EXPECT_GE(value, 0.0F);
        EXPECT_LT(value, 1.0F);
    }
    const auto ids = values_of<std::int64_t>(sample.inputs()[1]);
    EXPECT_THAT(ids, ::testing::Each(1));
    EXPECT_EQ(values_of<std::uint8_t>(sample.inputs()[2]).size(), 100u);
}

TEST(SampleData, ContrastingRowsAreOfUnlikeSize) {
    const std::vector<TensorSpec> inputs{{"x", DataType::kFp32, {-1, 100}},
                                         {"ids", DataType::kInt64, {-1, 100}}};
    const SampleData sample(inputs, true, 0, 2, 1, SampleContent::kContrasting);
    const auto floats = values_of<float>(sample.inputs()[0]);
    EXPECT_TRUE(std::all_of(
        floats.begin(), floats.begin() + 100, [](float one) { return one >= 0 && one < 1; }));
    EXPECT_THAT(floats, ::testing::Contains(::testing::Gt(100.0F)));
    EXPECT_THAT(floats, ::testing::Contains(::testing::Lt(-100.0F)));
    const auto ids = values_of<std::int64_t>(sample.inputs()[1]);
    EXPECT_TRUE(std::all_of(ids.begin(), ids.end(), [](auto id) { return id == 0 || id == 1; }));
    EXPECT_THAT(ids, ::testing::Contains(0));
}

TEST(SampleData, OpenAxesHaveTheExtentThatIsAskedFor) {
    const std::vector<TensorSpec> inputs{{"x", DataType::kInt32, {-1, -1, 3}}};
    EXPECT_EQ(SampleData(inputs, true, 0, 2, 5).inputs()[0].shape, (Shape{2, 5, 3}));
    EXPECT_EQ(SampleData(inputs, false, 0, 1, 5).inputs()[0].shape, (Shape{5, 5, 3}));
}

TEST(SampleData, StringsAreLengthPrefixed) {
    const std::vector<TensorSpec> inputs{{"x", DataType::kBytes, {-1, 2}}};
    const SampleData sample(inputs, true, 0, 3, 1);
    EXPECT_EQ(sample.inputs()[0].data.size(), 3 * 2 * 5u);
    EXPECT_EQ(sample.inputs()[0].data[0], std::byte{1});
}

}  // namespace
}  // namespace lepton::model
