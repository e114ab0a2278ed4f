#include "engines/openvino/rows/row_proof.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openvino/op/ops.hpp>

#include "engines/openvino/shape_guard.h"
#include "engines/openvino/shape_skeleton.h"

namespace lepton::openvino {
namespace {

using std::make_shared;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Value = ov::Output<ov::Node>;

Value integers(const std::vector<std::int64_t>& values) {
    return ov::op::v0::Constant::create(ov::element::i64, {values.size()}, values);
}
Value integer(std::int64_t value) {
    return ov::op::v0::Constant::create(ov::element::i64, {}, std::vector<std::int64_t>{value});
}
Value weights(const ov::Shape& shape) {
    return ov::op::v0::Constant::create(
        ov::element::f32, shape, std::vector<float>(ov::shape_size(shape), 0.5F));
}
Value extent(const Value& x, std::int64_t axis) {
    return make_shared<ov::op::v8::Gather>(
        make_shared<ov::op::v3::ShapeOf>(x), integers({axis}), integer(0));
}
Value shape_from(const std::vector<Value>& parts) {
    return make_shared<ov::op::v0::Concat>(parts, 0);
}
Value reshaped(const Value& x, const Value& shape) {
    return make_shared<ov::op::v1::Reshape>(x, shape, false);
}
Value transposed(const Value& x, const std::vector<std::int64_t>& order) {
    return make_shared<ov::op::v1::Transpose>(x, integers(order));
}
Value product(const Value& a, const Value& b) { return make_shared<ov::op::v0::MatMul>(a, b); }
Value softmax(const Value& x, std::int64_t axis) {
    return make_shared<ov::op::v8::Softmax>(x, axis);
}
Value added(const Value& a, const Value& b) { return make_shared<ov::op::v1::Add>(a, b); }

// What stands in the way of sharing a run, for a model of one input, at several numbers of rows; of
// one that is proven for some only, too.
std::string dependence(const Shape& row,
                       const std::function<Value(const Value& x)>& build,
                       ov::element::Type type = ov::element::f32) {
    ov::PartialShape shape = to_partial_shape(row);
    shape[0] = -1;
    const auto x = make_shared<ov::op::v0::Parameter>(type, shape);
    const ov::Model model({build(x)}, ov::ParameterVector{x});
    const auto guard = ShapeGuard::make(model);
    EXPECT_TRUE(guard);
    std::string found;
    for (const std::int64_t rows : {2, 3, 4, 16}) {
        Shape batch = row;
        batch[0] = rows;
        const auto facts = (*guard)->facts_of_rows({{batch}});
        if (!facts) return facts.error().message;
        found = (*facts)->dependence;
        if (!found.empty()) return found;
    }
    return found;
}

TEST(RowProof, ElementsAndMatricesOfWeightsKeepRowsApart) {
    EXPECT_THAT(dependence({1, 8},
                           [](const Value& x) {
                               return make_shared<ov::op::v0::Relu>(
                                   added(product(x, weights({8, 4})), weights({4})));
                           }),
                IsEmpty());
    EXPECT_THAT(dependence({1, 3, 8, 8},
                           [](const Value& x) {
                               return make_shared<ov::op::v1::Convolution>(x,
                                                                           weights({4, 3, 3, 3}),
                                                                           ov::Strides{1, 1},
                                                                           ov::CoordinateDiff{1, 1},
                                                                           ov::CoordinateDiff{1, 1},
                                                                           ov::Strides{1, 1});
                           }),
                IsEmpty());
}

TEST(RowProof, SoftmaxAlongARowIsFineAndAcrossRowsIsNot) {
    EXPECT_THAT(dependence({1, 8}, [](const Value& x) { return softmax(x, 1); }), IsEmpty());
    EXPECT_THAT(dependence({1, 8}, [](const Value& x) { return softmax(x, -1); }), IsEmpty());
    EXPECT_THAT(dependence({1, 8}, [](const Value& x) { return softmax(x, 0); }),
                HasSubstr("works across the rows of a batch"));
}

TEST(RowProof, AReductionOverAllMixesRowsAlsoWhenItComesBackByBroadcasting) {
    const auto scaled = [](const Value& x) {
        const auto largest = make_shared<ov::op::v1::ReduceMax>(x, integers({0, 1}), false);
        return make_shared<ov::op::v1::Divide>(x, largest);
    };
    EXPECT_THAT(dependence({1, 8}, scaled), HasSubstr("ReduceMax"));
    const auto by_row = [](const Value& x) {
        const auto largest = make_shared<ov::op::v1::ReduceMax>(x, integers({1}), true);
        return make_shared<ov::op::v1::Divide>(x, largest);
    };
    EXPECT_THAT(dependence({1, 8}, by_row), IsEmpty());
}

// Attention as exporters write it: heads by computed reshapes, scores between the rows' own words.
Value attention(const Value& x, std::int64_t softmax_axis) {
    const Value heads = shape_from({extent(x, 0), extent(x, 1), integers({2, 4})});
    const auto split = [&](const Value& w) {
        return transposed(reshaped(product(x, w), heads), {0, 2, 1, 3});
    };
    const Value keys = split(weights({8, 8}));
    const Value scores = make_shared<ov::op::v0::MatMul>(split(weights({8, 8})), keys, false, true);
    const Value mixed = product(softmax(scores, softmax_axis), split(weights({8, 8})));
    return reshaped(transposed(mixed, {0, 2, 1, 3}),
                    shape_from({extent(x, 0), extent(x, 1), integers({8})}));
}

TEST(RowProof, AttentionWithinARowIsProven) {
    EXPECT_THAT(dependence({1, 5, 8}, [](const Value& x) { return attention(x, -1); }), IsEmpty());
    EXPECT_THAT(dependence({1, 5, 8}, [](const Value& x) { return attention(x, 0); }),
                HasSubstr("Softmax"));
}

TEST(RowProof, RowsAreFollowedIntoMergedAxesAndOut) {
    // [rows, 6, 4] -> [rows * 6, 4] -> matrix -> [rows, 6, 2], with -1 for what is left.
    EXPECT_THAT(dependence({1, 6, 4},
                           [](const Value& x) {
                               const Value flat =
                                   product(reshaped(x, integers({-1, 4})), weights({4, 2}));
                               return reshaped(flat, integers({-1, 6, 2}));
                           }),
                IsEmpty());
    // Time first, as recurrent networks are exported: [6, rows, 4] -> [6 * rows, 4] and back.
    EXPECT_THAT(dependence({1, 6, 4},
                           [](const Value& x) {
                               const Value time_first = transposed(x, {1, 0, 2});
                               const Value flat = product(reshaped(time_first, integers({-1, 4})),
                                                          weights({4, 2}));
                               return transposed(reshaped(flat, integers({6, -1, 2})), {1, 0, 2});
                           }),
                IsEmpty());
    // A softmax over the merged axis meets all rows.
    EXPECT_THAT(dependence({1, 6, 4},
                           [](const Value& x) {
                               return reshaped(softmax(reshaped(x, integers({-1, 4})), 0),
                                               integers({-1, 6, 4}));
                           }),
                HasSubstr("Softmax"));
    // Other rows than those that came: half of one beside half of the next.
    EXPECT_THAT(dependence({1, 6},
                           [](const Value& x) {
                               return transposed(reshaped(x, integers({6, -1})), {1, 0});
                           }),
                HasSubstr("Reshape"));
}

TEST(RowProof, TheNumberOfRowsMustNotEnterValues) {
    EXPECT_THAT(dependence({1, 8},
                           [](const Value& x) {
                               const auto rows =
                                   make_shared<ov::op::v0::Convert>(extent(x, 0), ov::element::f32);
                               return make_shared<ov::op::v1::Divide>(x, rows);
                           }),
                HasSubstr("number of rows"));
    // The extent of another axis may: it is the scale of attention, say.
    EXPECT_THAT(dependence({1, 8},
                           [](const Value& x) {
                               const auto width =
                                   make_shared<ov::op::v0::Convert>(extent(x, 1), ov::element::f32);
                               return make_shared<ov::op::v1::Divide>(
                                   x, make_shared<ov::op::v0::Sqrt>(width));
                           }),
                IsEmpty());
}

TEST(RowProof, AValueOfItsOwnForEachPlaceInTheBatchIsSeen) {
    const auto places = [](const Value& x) {
        const auto count = make_shared<ov::op::v0::Squeeze>(extent(x, 0), integers({0}));
        const auto range =
            make_shared<ov::op::v4::Range>(integer(0), count, integer(1), ov::element::f32);
        return added(x, make_shared<ov::op::v0::Unsqueeze>(range, integers({1})));
    };
    EXPECT_NE(dependence({1, 8}, places), "");
    // The same value at each place is none of its own.
    const auto zeros = [](const Value& x) {
        const Value shape = shape_from({extent(x, 0), integers({8})});
        return added(x, make_shared<ov::op::v3::Broadcast>(weights({1}), shape));
    };
    EXPECT_THAT(dependence({1, 8}, zeros), IsEmpty());
}

TEST(RowProof, PickingAndJoiningAlongOtherAxesIsFine) {
    EXPECT_THAT(dependence({1, 6, 4},
                           [](const Value& x) {
                               return make_shared<ov::op::v8::Gather>(x, integer(0), integer(1));
                           }),
                IsEmpty());
    EXPECT_THAT(dependence({1, 6, 4},
                           [](const Value& x) {
                               return make_shared<ov::op::v8::Gather>(
                                   x, integers({0, 0}), integer(0));
                           }),
                HasSubstr("Gather"));
    EXPECT_THAT(dependence({1, 6},
                           [](const Value& x) {
                               return make_shared<ov::op::v0::Concat>(ov::OutputVector{x, x}, 1);
                           }),
                IsEmpty());
    EXPECT_THAT(dependence({1, 6},
                           [](const Value& x) {
                               return make_shared<ov::op::v0::Concat>(ov::OutputVector{x, x}, 0);
                           }),
                HasSubstr("Concat"));
    EXPECT_THAT(dependence({1, 6},
                           [](const Value& x) {
                               return make_shared<ov::op::v8::Slice>(
                                   x, integers({0}), integers({3}), integers({1}), integers({1}));
                           }),
                IsEmpty());
    EXPECT_THAT(
        dependence({1, 6},
                   [](const Value& x) {
                       return make_shared<ov::op::v8::Slice>(
                           x, integers({1}), integers({1000}), integers({1}), integers({0}));
                   }),
        HasSubstr("Slice"));
    EXPECT_THAT(
        dependence({1, 6},
                   [](const Value& x) {
                       return make_shared<ov::op::v8::Slice>(
                           x, integers({-1}), integers({-1000}), integers({-1}), integers({0}));
                   }),
        HasSubstr("Slice"));
}

TEST(RowProof, AnEmbeddingTableIsReadByRows) {
    EXPECT_THAT(dependence(
                    {1, 5},
                    [](const Value& ids) {
                        return make_shared<ov::op::v8::Gather>(weights({100, 8}), ids, integer(0));
                    },
                    ov::element::i64),
                IsEmpty());
}

TEST(RowProof, CumulativeSumsAndSortsAcrossRowsAreSeen) {
    for (const std::int64_t axis : {0, 1}) {
        const auto summed = [&](const Value& x) {
            return make_shared<ov::op::v0::CumSum>(x, integer(axis));
        };
        EXPECT_EQ(dependence({1, 8}, summed).empty(), axis == 1) << axis;
        const auto sorted = [&](const Value& x) {
            return make_shared<ov::op::v11::TopK>(x, integer(1), axis, "max", "value")->output(0);
        };
        EXPECT_EQ(dependence({1, 8}, sorted).empty(), axis == 1) << axis;
    }
}

TEST(RowProof, ARecurrentNetworkWhoseStatesBeginAtZeroIsProven) {
    EXPECT_THAT(dependence({1, 6, 3},
                           [](const Value& x) {
                               const Value state = make_shared<ov::op::v3::Broadcast>(
                                   weights({1}), shape_from({extent(x, 0), integers({1, 4})}));
                               const Value lengths = make_shared<ov::op::v3::Broadcast>(
                                   integer(6), shape_from({extent(x, 0)}));
                               return make_shared<ov::op::v5::LSTMSequence>(
                                          x,
                                          state,
                                          state,
                                          lengths,
                                          weights({1, 16, 3}),
                                          weights({1, 16, 4}),
                                          weights({1, 16}),
                                          4,
                                          ov::op::RecurrentSequenceDirection::FORWARD)
                                   ->output(0);
                           }),
                IsEmpty());
}

// Steps along `axis` of x, adding each to a state that begins with the first input's sum.
Value looped(const Value& x, std::int64_t axis, const ov::PartialShape& step_shape) {
    const auto step = make_shared<ov::op::v0::Parameter>(ov::element::f32, step_shape);
    const auto state = make_shared<ov::op::v0::Parameter>(ov::element::f32, step_shape);
    const auto sum = make_shared<ov::op::v1::Add>(step, state);
    const auto body =
        make_shared<ov::Model>(ov::OutputVector{sum}, ov::ParameterVector{step, state});
    const auto loop = make_shared<ov::op::v0::TensorIterator>();
    loop->set_body(body);
    loop->set_sliced_input(step, x, 0, 1, 1, -1, axis);
    const auto start = make_shared<ov::op::v1::ReduceSum>(x, integers({axis}), true);
    loop->set_merged_input(state, start, sum);
    return loop->get_concatenated_slices(sum, 0, 1, 1, -1, axis);
}

TEST(RowProof, ALoopIsFollowedThroughItsBody) {
    EXPECT_THAT(dependence({1, 6, 4}, [](const Value& x) { return looped(x, 1, {-1, 1, 4}); }),
                IsEmpty());
    EXPECT_THAT(dependence({1, 6, 4}, [](const Value& x) { return looped(x, 0, {1, 6, 4}); }),
                ::testing::Not(IsEmpty()));
}

TEST(RowProof, AnOperationThatNoRuleIsKnownOfEndsTheProof) {
    EXPECT_THAT(dependence({1, 8},
                           [](const Value& x) {
                               const auto found = make_shared<ov::op::v10::Unique>(x, integer(1));
                               return found->output(0);
                           }),
                HasSubstr("Unique"));
}

TEST(RowProof, AnOutputWithoutARowForEachRowIsNone) {
    EXPECT_THAT(dependence({1, 8},
                           [](const Value& x) {
                               return make_shared<ov::op::v1::ReduceSum>(x, integers({0}), true);
                           }),
                HasSubstr("ReduceSum"));
    EXPECT_THAT(dependence({1, 8}, [](const Value& x) { return transposed(x, {1, 0}); }),
                HasSubstr("does not have one row for each row"));
}

}  // namespace
}  // namespace lepton::openvino
