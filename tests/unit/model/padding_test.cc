#include "lepton/model/padding.h"

#include <initializer_list>

#include <gtest/gtest.h>

namespace lepton::model {
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

}  // namespace
}  // namespace lepton::model
