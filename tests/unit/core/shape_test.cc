#include "lepton/core/shape.h"

#include <limits>

#include <gtest/gtest.h>

#include "lepton/core/data_type.h"

namespace lepton {
namespace {

TEST(Shape, CountsElementsAndAScalarHasOne) {
    EXPECT_EQ(Shape({2, 3, 4}).element_count(), 24);
    EXPECT_EQ(Shape({}).element_count(), 1);
    EXPECT_EQ(Shape({2, 0}).element_count(), 0);
}

TEST(Shape, HasNoCountWhenItOverflowsOrIsNotConcrete) {
    EXPECT_FALSE(Shape({std::numeric_limits<std::int64_t>::max(), 2}).element_count());
    EXPECT_FALSE(Shape({-1, 2}).element_count());
}

TEST(Shape, SignatureAcceptsAnyExtentWhereItHasMinusOne) {
    EXPECT_TRUE(Shape({-1, 3}).accepts({7, 3}));
    EXPECT_FALSE(Shape({-1, 3}).accepts({7, 4}));
    EXPECT_FALSE(Shape({-1, 3}).accepts({7}));
}

TEST(Shape, RefusesMoreThanItsMaximalRank) {
    Shape shape;
    for (std::size_t i = 0; i < Shape::kMaxRank; ++i) EXPECT_TRUE(shape.push_back(1));
    EXPECT_FALSE(shape.push_back(1));
    EXPECT_EQ(shape.rank(), Shape::kMaxRank);
}

TEST(Shape, PrintsAsThePeopleWriteIt) { EXPECT_EQ(to_string(Shape{1, -1, 8}), "[1,-1,8]"); }

TEST(DataType, NamesAndSizesMatchTheProtocolsTable) {
    for (int i = 0; i < kDataTypeCount; ++i) {
        const auto type = static_cast<DataType>(i);
        EXPECT_EQ(parse_data_type(to_string(type)), type);
    }
    EXPECT_EQ(element_bytes(DataType::kBf16), 2U);
    EXPECT_EQ(element_bytes(DataType::kBytes), 0U);
    EXPECT_FALSE(parse_data_type("fp32"));
}

}  // namespace
}  // namespace lepton
