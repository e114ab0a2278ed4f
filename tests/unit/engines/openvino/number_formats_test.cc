#include "engines/openvino/number_formats.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openvino/op/add.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/loop.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/shape_of.hpp>
#include <openvino/op/slice.hpp>
#include <openvino/op/unsqueeze.hpp>
#include <openvino/openvino.hpp>

#include "engines/openvino/signature.h"

namespace lepton::openvino {
namespace {

using ::testing::HasSubstr;
using NodePtr = std::shared_ptr<ov::Node>;
using ov::op::v0::Constant;
using ov::op::v0::Convert;
using ov::op::v0::Parameter;

std::shared_ptr<Parameter> input_of(ov::element::Type type) {
    return std::make_shared<Parameter>(type, ov::PartialShape{-1});
}

NodePtr constant(ov::element::Type type, std::int64_t value) {
    return Constant::create(type, ov::Shape{1}, {value});
}

// What a model that adds its input to itself says about input and output.
std::pair<std::optional<DataType>, std::optional<DataType>> formats_of(ov::element::Type type) {
    const auto in = input_of(type);
    const ov::Model model(ov::OutputVector{std::make_shared<ov::op::v1::Add>(in, in)}, {in});
    return {input_specs(model)->front().computed_as, output_specs(model)->front().computed_as};
}

std::optional<DataType> held_by(const std::shared_ptr<Parameter>& in, const ov::OutputVector& out) {
    return input_specs(ov::Model(out, {in}))->front().computed_as;
}

std::string refusal_of(const ov::OutputVector& out, const ov::ParameterVector& in) {
    const Result<> checked = check_constants(ov::Model(out, in));
    if (checked) return "taken";
    EXPECT_EQ(checked.error().code, ErrorCode::kUnsupported);
    return checked.error().message;
}

TEST(NumberFormats, WideTypesAreComputedInNarrowerOnes) {
    using Formats = std::pair<std::optional<DataType>, std::optional<DataType>>;
    const Formats int32{DataType::kInt32, DataType::kInt32};
    EXPECT_EQ(formats_of(ov::element::i64), int32);
    EXPECT_EQ(formats_of(ov::element::u64), int32);
    EXPECT_EQ(formats_of(ov::element::u32), int32);
    EXPECT_EQ(formats_of(ov::element::f64), Formats(DataType::kFp32, DataType::kFp32));
    for (const auto& type : {ov::element::i32,
                             ov::element::u16,
                             ov::element::i8,
                             ov::element::u8,
                             ov::element::f32,
                             ov::element::f16}) {
        EXPECT_EQ(formats_of(type), Formats()) << type;
    }
}

TEST(NumberFormats, WhatIsOnlyHandedThroughMeasuredOrMadeAFloatKeepsItsBits) {
    const auto through = input_of(ov::element::i64);
    EXPECT_EQ(held_by(through, {through}), std::nullopt);
    EXPECT_EQ(output_specs(ov::Model(ov::OutputVector{through}, {through}))->front().computed_as,
              std::nullopt);
    const auto measured = input_of(ov::element::f64);
    EXPECT_EQ(held_by(measured, {std::make_shared<ov::op::v3::ShapeOf>(measured)}), std::nullopt);
    const auto time = input_of(ov::element::i64);
    const auto seconds = std::make_shared<Convert>(time, ov::element::f32);
    EXPECT_EQ(held_by(time, {seconds, time}), std::nullopt);
    EXPECT_EQ(held_by(time, {seconds, std::make_shared<ov::op::v1::Add>(time, time)}),
              DataType::kInt32);
    const auto flag = input_of(ov::element::i64);
    EXPECT_EQ(held_by(flag, {std::make_shared<Convert>(flag, ov::element::boolean)}),
              DataType::kInt32)
        << "by way of INT32";
}

TEST(NumberFormats, ConstantThatTheEngineCutsIsRefusedWhereTheModelComputesWithIt) {
    const auto in = input_of(ov::element::i64);
    const auto sum =
        std::make_shared<ov::op::v1::Add>(in, constant(ov::element::i64, std::int64_t{1} << 40));
    sum->set_friendly_name("shift");
    EXPECT_THAT(refusal_of({sum}, {in}),
                HasSubstr(R"(operation "shift" (Add) takes the constant 1099511627776, which)"));
    const auto fits = std::make_shared<ov::op::v1::Add>(in, constant(ov::element::i64, 1 << 30));
    EXPECT_EQ(refusal_of({fits}, {in}), "taken");
}

TEST(NumberFormats, ConstantIsFollowedThroughOperationsThatOnlyMoveIt) {
    const auto in = input_of(ov::element::i64);
    const auto moved = std::make_shared<ov::op::v0::Unsqueeze>(
        constant(ov::element::i64, -(std::int64_t{1} << 40)), constant(ov::element::i64, 0));
    EXPECT_THAT(refusal_of({std::make_shared<ov::op::v1::Add>(in, moved)}, {in}), HasSubstr("Add"));
    EXPECT_THAT(refusal_of({moved}, {in}), HasSubstr("Result")) << "an answer of its own";
    const auto real = std::make_shared<Convert>(moved, ov::element::f32);
    EXPECT_EQ(refusal_of({real}, {in}), "taken");
}

TEST(NumberFormats, MarksForTheEndAreTaken) {
    const auto in = input_of(ov::element::f32);
    const auto end = std::make_shared<ov::op::v0::Unsqueeze>(constant(ov::element::i64, INT64_MAX),
                                                             constant(ov::element::i64, 0));
    const auto flat =
        std::make_shared<ov::op::v1::Reshape>(end, constant(ov::element::i64, -1), false);
    const auto rest = std::make_shared<ov::op::v8::Slice>(in,
                                                          constant(ov::element::i64, 1),
                                                          flat,
                                                          constant(ov::element::i64, 1),
                                                          constant(ov::element::i64, 0));
    EXPECT_EQ(refusal_of({rest}, {in}), "taken");
}

TEST(NumberFormats, ConstantIsFollowedIntoTheBodyOfALoop) {
    const auto in = input_of(ov::element::i64);
    const auto carried = input_of(ov::element::i64);
    const auto step = input_of(ov::element::i64);
    const auto sum = std::make_shared<ov::op::v1::Add>(carried, step);
    const auto go_on = Constant::create(ov::element::boolean, ov::Shape{}, {true});
    const auto body = std::make_shared<ov::Model>(ov::OutputVector{go_on, sum},
                                                  ov::ParameterVector{carried, step});
    const auto looped = [&](std::int64_t by) {
        const auto loop = std::make_shared<ov::op::v5::Loop>(
            Constant::create(ov::element::i64, ov::Shape{}, {INT64_MAX}), go_on);
        loop->set_function(body);
        loop->set_special_body_ports({-1, 0});
        loop->set_merged_input(carried, in, sum);
        loop->set_invariant_input(step, constant(ov::element::i64, by));
        return refusal_of({loop->get_iter_value(sum, -1)}, {in});
    };
    EXPECT_EQ(looped(1), "taken") << "without an end, which the number of turns says";
    EXPECT_THAT(looped(std::int64_t{1} << 40), HasSubstr("Add"));
}

}  // namespace
}  // namespace lepton::openvino
