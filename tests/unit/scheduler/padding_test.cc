#include "lepton/scheduler/padding.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::scheduler {
namespace {

ModelSpec spec_of(std::initializer_list<Shape> signatures) {
    ModelSpec spec;
    spec.batches = true;
    spec.pad_to = {4, 8};
    for (const Shape& shape : signatures) spec.inputs.push_back({"x", DataType::kFp32, shape});
    return spec;
}

Request request_of(std::initializer_list<Shape> shapes) {
    Request request;
    for (const Shape& shape : shapes) request.inputs.push_back({"x", {DataType::kFp32, shape, {}}});
    return request;
}

std::vector<int> copied(std::vector<int> from, const Shape& from_shape, const Shape& to_shape) {
    std::vector<int> to(static_cast<std::size_t>(to_shape.element_count().value()), -1);
    copy_common(std::as_bytes(std::span(from)),
                from_shape,
                std::as_writable_bytes(std::span(to)),
                to_shape,
                sizeof(int));
    return to;
}

TEST(Padding, GoesToTheLeastExtentThatHoldsTheRequest) {
    const ModelSpec spec = spec_of({{-1, -1}});
    const Padding five = padding_of(spec, request_of({{1, 5}}));
    EXPECT_EQ(five.from, 5);
    EXPECT_EQ(five.to, 8);
    EXPECT_FALSE(padding_of(spec, request_of({{1, 8}})).needed());
    EXPECT_FALSE(padding_of(spec, request_of({{1, 9}})).needed()) << "larger than the largest";
}

TEST(Padding, IsNoneForOpenAxesOfDifferentExtents) {
    const ModelSpec spec = spec_of({{-1, -1}, {-1, -1}});
    EXPECT_FALSE(padding_of(spec, request_of({{1, 3}, {1, 2}})).needed());
    EXPECT_TRUE(padding_of(spec, request_of({{1, 3}, {1, 3}})).needed());
}

TEST(Padding, IsNoneWhereNothingIsConfiguredOrNothingBatches) {
    ModelSpec spec = spec_of({{-1, -1}});
    spec.batches = false;
    EXPECT_FALSE(padding_of(spec, request_of({{1, 3}})).needed());
    spec = spec_of({{-1, -1}});
    spec.pad_to.clear();
    EXPECT_FALSE(padding_of(spec, request_of({{1, 3}})).needed());
}

TEST(Padding, ChangesOpenAxesOnly) {
    EXPECT_EQ(padded({3, 3, 3}, {-1, -1, 3}, {3, 4}), (Shape{3, 4, 3}));
}

TEST(CopyCommon, FillsUpWithZerosAndCutsOffAgain) {
    const std::vector<int> rows = {1, 2, 3, 4, 5, 6};
    const std::vector<int> wide = copied(rows, {2, 3}, {2, 4});
    EXPECT_EQ(wide, (std::vector<int>{1, 2, 3, 0, 4, 5, 6, 0}));
    EXPECT_EQ(copied(wide, {2, 4}, {2, 3}), rows);
}

TEST(CopyCommon, KeepsPlacesInSeveralAxes) {
    const std::vector<int> small = {1, 2, 3, 4, 5, 6, 7, 8};
    const std::vector<int> large = copied(small, {2, 2, 2}, {2, 3, 3});
    EXPECT_EQ(large, (std::vector<int>{1, 2, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 7, 8, 0, 0, 0, 0}));
    EXPECT_EQ(copied(large, {2, 3, 3}, {2, 2, 2}), small);
    EXPECT_EQ(copied(large, {2, 3, 3}, {1, 2, 2}), (std::vector<int>{1, 2, 3, 4}));
}

TEST(CopyCommon, CopiesEqualShapesAndEmptyOnes) {
    EXPECT_EQ(copied({1, 2}, {1, 2}, {1, 2}), (std::vector<int>{1, 2}));
    EXPECT_EQ(copied({7}, {}, {}), (std::vector<int>{7}));
    EXPECT_EQ(copied({}, {1, 0}, {1, 2}), (std::vector<int>{0, 0}));
}

}  // namespace
}  // namespace lepton::scheduler
