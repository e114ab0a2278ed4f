#include "lepton/model/match_request.h"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::model {
namespace {

class MatchRequest : public testing::Test {
protected:
    MatchRequest() {
        spec_.name = "m";
        spec_.inputs = {{"a", DataType::kFp32, {-1, 2}}, {"b", DataType::kInt64, {-1, -1}}};
        spec_.outputs = {{"y", DataType::kFp32, {-1}}};
        spec_.batches = true;
    }
    void add(std::string_view name, DataType type, Shape shape, std::size_t bytes) {
        call_.request.inputs.push_back({name, {type, shape, std::span(zeros_).first(bytes)}});
    }
    std::string refusal() {
        const Result<> matched = match_request(spec_, call_);
        if (matched) return "matched";
        EXPECT_EQ(matched.error().code, ErrorCode::kInvalidArgument);
        return matched.error().message;
    }

    std::array<std::byte, 256> zeros_{};
    ModelSpec spec_;
    InferCall call_;
};

TEST_F(MatchRequest, PutsInputsIntoTheModelsOrderAndCountsRows) {
    add("b", DataType::kInt64, {3, 1}, 24);
    add("a", DataType::kFp32, {3, 2}, 24);
    ASSERT_EQ(refusal(), "matched");
    EXPECT_EQ(call_.request.inputs[0].name, "a");
    EXPECT_EQ(call_.rows, 3);
}

TEST_F(MatchRequest, CallsShareAClassOnlyWhenTheirRowsHaveOneShape) {
    add("a", DataType::kFp32, {1, 2}, 8);
    add("b", DataType::kInt64, {1, 1}, 8);
    ASSERT_EQ(refusal(), "matched");
    const auto first = call_.shape_class;
    call_.request.inputs[1].tensor = {DataType::kInt64, {1, 2}, std::span(zeros_).first(16)};
    ASSERT_EQ(refusal(), "matched");
    EXPECT_NE(call_.shape_class, first);
    call_.request.inputs[0].tensor = {DataType::kFp32, {2, 2}, std::span(zeros_).first(16)};
    call_.request.inputs[1].tensor = {DataType::kInt64, {2, 1}, std::span(zeros_).first(16)};
    ASSERT_EQ(refusal(), "matched");
    EXPECT_EQ(call_.shape_class, first);
}

TEST_F(MatchRequest, NamesTheMissingInputAndWhatTheModelTakes) {
    add("a", DataType::kFp32, {1, 2}, 8);
    EXPECT_EQ(refusal(), R"(input "b" is missing; model "m" takes "a", "b")");
}

TEST_F(MatchRequest, SaysThatThereAreNoInputsAtAll) {
    EXPECT_EQ(refusal(), R"(the request has no inputs; model "m" takes "a", "b")");
}

TEST_F(MatchRequest, NamesTheUnknownInput) {
    add("a", DataType::kFp32, {1, 2}, 8);
    add("b", DataType::kInt64, {1, 1}, 8);
    add("c", DataType::kInt64, {1, 1}, 8);
    EXPECT_EQ(refusal(), R"(input "c" is unknown or repeated; model "m" takes "a", "b")");
}

TEST_F(MatchRequest, NamesBothDatatypes) {
    add("a", DataType::kFp64, {1, 2}, 16);
    EXPECT_EQ(refusal(), R"(input "a" has datatype FP64, model "m" takes FP32)");
}

TEST_F(MatchRequest, NamesBothShapes) {
    add("a", DataType::kFp32, {1, 3}, 12);
    EXPECT_EQ(refusal(), R"(input "a" has shape [1,3], model "m" takes [-1,2])");
}

TEST_F(MatchRequest, RefusesDataThatDoesNotFillTheShape) {
    add("a", DataType::kFp32, {1, 2}, 4);
    EXPECT_EQ(refusal(), R"(input "a" has 4 bytes of data, shape [1,2] needs 8)");
}

TEST_F(MatchRequest, RefusesAShapeWhoseSizeOverflows) {
    add("a", DataType::kFp32, {std::int64_t{1} << 62, 2}, 0);
    EXPECT_NE(refusal().find("which no tensor can have"), std::string::npos);
}

TEST_F(MatchRequest, RefusesInputsThatDisagreeAboutTheRows) {
    add("a", DataType::kFp32, {2, 2}, 16);
    add("b", DataType::kInt64, {1, 1}, 8);
    EXPECT_EQ(refusal(), R"(input "b" has 1 rows, input "a" has 2)");
}

TEST_F(MatchRequest, RefusesMoreRowsThanTheModelAllowsAndNone) {
    spec_.max_batch_size = 2;
    add("a", DataType::kFp32, {3, 2}, 24);
    add("b", DataType::kInt64, {3, 1}, 24);
    EXPECT_EQ(refusal(), R"(input "a" has 3 rows, model "m" allows at most 2)");
    call_.request.inputs.clear();
    add("a", DataType::kFp32, {0, 2}, 0);
    add("b", DataType::kInt64, {0, 1}, 0);
    EXPECT_EQ(refusal(), R"(input "a" has no rows, at least 1 is needed)");
}

TEST_F(MatchRequest, NamesTheUnknownOutput) {
    add("a", DataType::kFp32, {1, 2}, 8);
    add("b", DataType::kInt64, {1, 1}, 8);
    call_.request.outputs.push_back({"z", {}});
    EXPECT_EQ(refusal(), R"(output "z" is unknown; model "m" gives "y")");
}

TEST_F(MatchRequest, SizeOfARequestIsThatOfItsRowsWhereTheModelBatches) {
    add("a", DataType::kFp32, {3, 2}, 24);
    add("b", DataType::kInt64, {3, 4}, 96);
    ASSERT_EQ(refusal(), "matched");
    EXPECT_EQ(call_.row_bytes, 8U + 32U);
}

TEST_F(MatchRequest, SizeOfARequestIsItsWholeWhereTheModelDoesNotBatch) {
    spec_.batches = false;
    add("a", DataType::kFp32, {3, 2}, 24);
    add("b", DataType::kInt64, {3, 4}, 96);
    ASSERT_EQ(refusal(), "matched");
    EXPECT_EQ(call_.row_bytes, 24U + 96U);
    const auto first = call_.shape_class;
    call_.request.inputs[0].tensor = {DataType::kFp32, {1, 2}, std::span(zeros_).first(8)};
    ASSERT_EQ(refusal(), "matched");
    EXPECT_EQ(call_.row_bytes, 8U + 96U);
    EXPECT_NE(call_.shape_class, first);
}

TEST_F(MatchRequest, StringsCountByTheirBytes) {
    spec_.inputs = {{"a", DataType::kBytes, {-1}}};
    add("a", DataType::kBytes, {2}, 40);
    ASSERT_EQ(refusal(), "matched");
    EXPECT_EQ(call_.row_bytes, 20U);
    spec_.batches = false;
    ASSERT_EQ(refusal(), "matched");
    EXPECT_EQ(call_.row_bytes, 40U);
}

TEST_F(MatchRequest, RefusesEveryRequestWhereTheEngineWouldAnswerOtherwise) {
    spec_.defect = "operation \"a\" takes the constant 5";
    const Result<> matched = match_request(spec_, call_);
    ASSERT_FALSE(matched);
    EXPECT_EQ(matched.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(matched.error().message, R"(model "m": operation "a" takes the constant 5)");
}

TEST_F(MatchRequest, RefusesAValueThatTheEngineCannotHold) {
    spec_.inputs = {{"ids", DataType::kInt64, {-1}, DataType::kInt32}};
    const std::array<std::int64_t, 3> values{-2147483648, 2147483647, 2147483648};
    const auto bytes = std::as_bytes(std::span(values));
    call_.request.inputs = {{"ids", {DataType::kInt64, {2}, bytes.first(16)}}};
    ASSERT_EQ(refusal(), "matched");
    call_.request.inputs = {{"ids", {DataType::kInt64, {3}, bytes}}};
    EXPECT_EQ(refusal(),
              R"(input "ids" has 2147483648 as element 2; the engine of model "m" computes INT64 )"
              "in INT32, which holds -2147483648 to 2147483647");
    spec_.inputs[0].computed_as.reset();
    EXPECT_EQ(refusal(), "matched");
}

class RowBoundTest : public testing::Test {
protected:
    RowBoundTest() {
        spec_.name = "m";
        spec_.inputs = {{"x", DataType::kUint8, {-1, -1}}};
        spec_.outputs = {{"y", DataType::kUint8, {-1, -1}}};
        spec_.batches = true;
    }
    std::string refusal(const Shape& shape) {
        const std::vector<std::byte> data(
            static_cast<std::size_t>(shape.element_count().value_or(0)));
        InferCall call;
        call.request.inputs = {{"x", {DataType::kUint8, shape, data}}};
        const Result<> matched = match_request(spec_, call);
        return matched ? "matched" : matched.error().message;
    }

    ModelSpec spec_;
};

TEST_F(RowBoundTest, RowsAreBoundedWhereTheModelDoesNotSayIt) {
    EXPECT_EQ(refusal({1 << 20, 1}), "matched");
    EXPECT_EQ(refusal({(1 << 20) + 1, 1}),
              R"(input "x" has 1048577 rows, model "m" allows at most 1048576)");
    spec_.max_batch_size = (1 << 20) + 1;
    EXPECT_EQ(refusal({(1 << 20) + 1, 1}), "matched");
}

TEST_F(RowBoundTest, RowsWithoutDataAreBoundedToo) {
    EXPECT_EQ(refusal({1024, 0}), "matched");
    EXPECT_EQ(refusal({1025, 0}),
              R"(input "x" has 1025 rows, model "m" allows at most 1024 without data)");
    EXPECT_NE(refusal({std::int64_t{1} << 62, 0}), "matched");
    spec_.max_batch_size = std::int64_t{1} << 40;
    EXPECT_NE(refusal({1025, 0}), "matched");
}

TEST_F(RowBoundTest, ExtentsBesideOneOfZeroAreBoundedWhereNoAxisCountsRows) {
    spec_.batches = false;
    EXPECT_EQ(refusal({0, std::int64_t{1} << 31}), "matched");
    EXPECT_EQ(refusal({std::int64_t{1} << 62, 0}),
              R"(input "x" has shape [4611686018427387904,0], which no tensor can have)");
    EXPECT_NE(refusal({0, (std::int64_t{1} << 31) + 1}), "matched");
}

TEST_F(MatchRequest, RefusesAnOutputThatIsRequestedTwice) {
    add("a", DataType::kFp32, {1, 2}, 8);
    add("b", DataType::kInt64, {1, 1}, 8);
    call_.request.outputs = {{"y", {}}};
    EXPECT_EQ(refusal(), "matched");
    call_.request.outputs = {{"y", {}}, {"y", {}}};
    EXPECT_EQ(refusal(), R"(output "y" is requested twice)");
}

TEST_F(MatchRequest, RefusesAnInputThatIsGivenTwice) {
    add("a", DataType::kFp32, {1, 2}, 8);
    add("b", DataType::kInt64, {1, 1}, 8);
    add("a", DataType::kFp32, {1, 2}, 8);
    EXPECT_EQ(refusal(), R"(input "a" is unknown or repeated; model "m" takes "a", "b")");
}

}  // namespace
}  // namespace lepton::model
