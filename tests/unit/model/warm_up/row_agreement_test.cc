#include "lepton/model/warm_up/row_agreement.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/tensors.h"

namespace lepton::model {
namespace {

bool agree_floats(const std::vector<float>& a, const std::vector<float>& b, bool coarse = false) {
    const Shape shape{static_cast<std::int64_t>(a.size())};
    return agree(lepton::testing::view_of(DataType::kFp32, shape, a),
                 lepton::testing::view_of(DataType::kFp32, shape, b),
                 coarse);
}

TEST(RowAgreement, FloatsMayDifferByALittleOfTheLargest) {
    EXPECT_TRUE(agree_floats({100, 0}, {100, 0.0003F}));
    EXPECT_FALSE(agree_floats({100, 0}, {100, 0.005F}));
    EXPECT_TRUE(agree_floats({100, 0}, {100.005F, 0}));
    EXPECT_FALSE(agree_floats({1, 0}, {1, 0.0005F}));
    EXPECT_TRUE(agree_floats({1, 0}, {1, 0.0005F}, true));
}

TEST(RowAgreement, AColumnOfLargeNumbersDoesNotExcuseOneOfSmallOnes) {
    const std::vector<float> a{1000, 40, 1000, 40};
    const std::vector<float> b{1000, 40.05F, 1000, 40};
    const TensorView left = lepton::testing::view_of(DataType::kFp32, {2, 2}, a);
    EXPECT_FALSE(agree(left, lepton::testing::view_of(DataType::kFp32, {2, 2}, b), false));
}

TEST(RowAgreement, NotANumberAndInfinityAgreeWithThemselvesOnly) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float inf = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(agree_floats({nan, inf}, {nan, inf}));
    EXPECT_FALSE(agree_floats({nan}, {1}));
    EXPECT_FALSE(agree_floats({inf}, {-inf}));
}

TEST(RowAgreement, IntegersAgreeExactly) {
    const std::vector<std::int64_t> a{1000000};
    const std::vector<std::int64_t> b{1000001};
    const TensorView left = lepton::testing::view_of(DataType::kInt64, {1}, a);
    EXPECT_TRUE(agree(left, left, true));
    EXPECT_FALSE(agree(left, lepton::testing::view_of(DataType::kInt64, {1}, b), true));
}

TEST(RowAgreement, ShapesMustBeTheSame) {
    const std::vector<float> values{1, 2};
    EXPECT_FALSE(agree(lepton::testing::view_of(DataType::kFp32, {2, 1}, values),
                       lepton::testing::view_of(DataType::kFp32, {1, 2}, values),
                       false));
}

TEST(HalfToFloat, KnowsAllKindsOfNumbers) {
    EXPECT_EQ(half_to_float(0x3c00), 1.0F);
    EXPECT_EQ(half_to_float(0xc000), -2.0F);
    EXPECT_EQ(half_to_float(0x7bff), 65504.0F);
    EXPECT_EQ(half_to_float(0x0001), std::ldexp(1.0F, -24));
    EXPECT_EQ(half_to_float(0x0000), 0.0F);
    EXPECT_EQ(half_to_float(0x7c00), INFINITY);
    EXPECT_TRUE(std::isnan(half_to_float(0x7e00)));
}

}  // namespace
}  // namespace lepton::model
