#include "lepton/scheduler/batch_runner.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "fakes/fake_session.h"
#include "lepton/model/match_request.h"

namespace lepton::scheduler {
namespace {

// A call with one tensor of 1, 2, 3, ...
struct TestCall {
    explicit TestCall(const Shape& shape) {
        values.resize(static_cast<std::size_t>(shape.element_count().value()));
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
        call.request.inputs.push_back(
            {"x", {DataType::kFp32, shape, std::as_bytes(std::span(values))}});
    }

    std::vector<float> values;
    InferCall call;
};

// Keeps the answers, as an encoder would.
class Answers final : public CallSink {
public:
    void ran(std::int64_t rows, Clock::duration, Clock::time_point) override {
        runs.push_back(rows);
    }
    void done(InferCall& call) override {
        if (call.response.error) return;
        const TensorView& tensor = call.response.outputs.at(0).tensor;
        shapes.push_back(tensor.shape);
        values.emplace_back(tensor.data.size() / sizeof(float));
        std::memcpy(values.back().data(), tensor.data.data(), tensor.data.size());
    }

    std::vector<std::int64_t> runs;
    std::vector<Shape> shapes;
    std::vector<std::vector<float>> values;
};

std::vector<float> plus_one(std::vector<float> values) {
    for (float& value : values) ++value;
    return values;
}

class PaddedBatchTest : public testing::Test {
protected:
    PaddedBatchTest() {
        spec_.batches = true;
        spec_.inputs = {{"x", DataType::kFp32, {-1, -1}}};
        spec_.outputs = {{"y", DataType::kFp32, {-1, -1}}};
        spec_.pad_to = {4, 8};
    }
    void run(std::vector<TestCall*> calls) {
        std::vector<InferCall*> batch;
        for (TestCall* one : calls) {
            ASSERT_TRUE(model::match_request(spec_, one->call));
            batch.push_back(&one->call);
        }
        BatchRunner(session_, spec_).run(batch, answers_);
    }
    ModelSpec spec_;
    fakes::FakeSession session_{8};
    Answers answers_;
};

TEST_F(PaddedBatchTest, CallsOfDifferentExtentsShareARunAndGetTheirOwnBack) {
    TestCall three({1, 3});
    TestCall four({2, 4});
    run({&three, &four});
    EXPECT_EQ(three.call.shape_class, four.call.shape_class);
    EXPECT_EQ(answers_.runs, (std::vector<std::int64_t>{3}));
    ASSERT_EQ(answers_.shapes.size(), 2u);
    EXPECT_EQ(answers_.shapes[0], (Shape{1, 3}));
    EXPECT_EQ(answers_.values[0], plus_one(three.values));
    EXPECT_EQ(answers_.shapes[1], (Shape{2, 4}));
    EXPECT_EQ(answers_.values[1], plus_one(four.values));
}

TEST_F(PaddedBatchTest, EngineSeesZerosBehindTheRequest) {
    TestCall two({2, 2});
    std::vector<float> seen;
    session_.fail_when = [&seen](std::int64_t, const TensorView& input) {
        seen.resize(input.data.size() / sizeof(float));
        std::memcpy(seen.data(), input.data.data(), input.data.size());
        return false;
    };
    run({&two});
    EXPECT_EQ(seen, (std::vector<float>{1, 2, 0, 0, 3, 4, 0, 0}));
    EXPECT_EQ(answers_.values.at(0), plus_one(two.values));
}

TEST_F(PaddedBatchTest, CallBeyondTheLargestExtentRunsAsItIs) {
    TestCall nine({1, 9});
    TestCall eight({1, 8});
    ASSERT_TRUE(model::match_request(spec_, nine.call));
    ASSERT_TRUE(model::match_request(spec_, eight.call));
    EXPECT_NE(nine.call.shape_class, eight.call.shape_class);
    run({&nine});
    EXPECT_EQ(answers_.values.at(0), plus_one(nine.values));
}

TEST_F(PaddedBatchTest, CallWhosePaddedRunFailsRunsUnpadded) {
    TestCall three({1, 3});
    session_.fail_when = [](std::int64_t, const TensorView& input) { return input.shape[1] == 4; };
    run({&three});
    EXPECT_EQ(answers_.values.at(0), plus_one(three.values));
}

TEST_F(PaddedBatchTest, RowsBytesAreThoseOfThePaddedShape) {
    TestCall five({3, 5});
    ASSERT_TRUE(model::match_request(spec_, five.call));
    EXPECT_EQ(five.call.row_bytes, 8 * sizeof(float));
}

class OpenBatchTest : public testing::Test {
protected:
    OpenBatchTest() {
        spec_.batches = true;
        spec_.inputs = {{"x", DataType::kFp32, {-1, -1}}};
        spec_.outputs = {{"y", DataType::kFp32, {-1, -1}}};
    }

    ModelSpec spec_;
    fakes::FakeSession session_{8, {1, 2, 32}};
    Answers answers_;
};

TEST_F(OpenBatchTest, CallsWhoseRowsAreNotProvenApartRunOneAfterTheOther) {
    TestCall one({1, 3});
    TestCall two({2, 3});
    ASSERT_TRUE(model::match_request(spec_, one.call));
    ASSERT_TRUE(model::match_request(spec_, two.call));
    const std::vector<InferCall*> batch{&one.call, &two.call};
    session_.rows_are_apart = false;
    BatchRunner(session_, spec_).run(batch, answers_);
    EXPECT_EQ(answers_.runs, (std::vector<std::int64_t>{1, 2}));
    session_.rows_are_apart = true;
    one.call.response.outputs.clear();
    two.call.response.outputs.clear();
    BatchRunner(session_, spec_).run(batch, answers_);
    EXPECT_EQ(answers_.runs, (std::vector<std::int64_t>{1, 2, 3}));
}

TEST_F(OpenBatchTest, ALargeCallIsNotCutWhereRowsAreNotProvenApart) {
    TestCall large({20, 8});
    ASSERT_TRUE(model::match_request(spec_, large.call));
    const std::vector<InferCall*> batch{&large.call};
    session_.rows_are_apart = false;
    BatchRunner(session_, spec_).run(batch, answers_);
    EXPECT_EQ(answers_.runs, (std::vector<std::int64_t>{20}));
    EXPECT_EQ(answers_.shapes.at(0), (Shape{20, 8}));
}

// Runs of at most 16 rows of 8 values each.
class PiecesTest : public OpenBatchTest {
protected:
    static constexpr std::size_t kRowBytes = 8 * sizeof(float);

    void run(TestCall& call, const RunLimits& limits = {}) {
        ASSERT_TRUE(model::match_request(spec_, call.call));
        const std::vector<InferCall*> batch{&call.call};
        BatchRunner(session_, spec_, limits).run(batch, answers_);
    }
    static ErrorCode error_of(const TestCall& call) {
        return call.call.response.error.value_or(Error{ErrorCode::kModelNotFound, "none"}).code;
    }
};

TEST_F(PiecesTest, EndAfterTheOneThatRunsWhenTheClientHasGone) {
    TestCall call({40, 8});
    session_.before_run = [&call] { call.call.cancel(); };
    run(call);
    EXPECT_EQ(answers_.runs, (std::vector<std::int64_t>{16}));
    EXPECT_EQ(error_of(call), ErrorCode::kCancelled);
}

TEST_F(PiecesTest, EndAfterTheOneDuringWhichTheDeadlinePassed) {
    TestCall call({40, 8});
    session_.before_run = [&call] { call.call.request.deadline = Clock::now(); };
    run(call);
    EXPECT_EQ(answers_.runs, (std::vector<std::int64_t>{16}));
    EXPECT_EQ(error_of(call), ErrorCode::kDeadlineExceeded);
}

TEST_F(PiecesTest, EndAfterTheOneDuringWhichTheServerStops) {
    TestCall call({40, 8});
    const auto stop = std::make_shared<std::atomic<bool>>(false);
    session_.before_run = [&stop] { *stop = true; };
    run(call, {.max_answer_bytes = 0, .stop = stop});
    EXPECT_EQ(answers_.runs, (std::vector<std::int64_t>{16}));
    EXPECT_EQ(error_of(call), ErrorCode::kUnavailable);
}

TEST_F(PiecesTest, AreNotRunWhereTheEngineForetellsThatTheAnswerIsTooLarge) {
    TestCall call({40, 8});
    session_.foretold_bytes = {16 * kRowBytes};
    run(call, {.max_answer_bytes = 40 * kRowBytes - 1, .stop = nullptr});
    EXPECT_TRUE(answers_.runs.empty());
    EXPECT_EQ(error_of(call), ErrorCode::kPayloadTooLarge);
    TestCall other({40, 8});
    run(other, {.max_answer_bytes = 40 * kRowBytes, .stop = nullptr});
    EXPECT_EQ(answers_.values.at(0), plus_one(other.values));
}

TEST_F(PiecesTest, EndWithTheOneThatMakesTheAnswerTooLarge) {
    TestCall call({40, 8});
    run(call, {.max_answer_bytes = 32 * kRowBytes - 1, .stop = nullptr});
    EXPECT_EQ(answers_.runs, (std::vector<std::int64_t>{16, 16}));
    EXPECT_EQ(error_of(call), ErrorCode::kPayloadTooLarge);
}

TEST_F(OpenBatchTest, AnswerThatTurnsOutTooLargeFailsAloneInItsBatch) {
    TestCall one({1, 3});
    TestCall two({2, 3});
    ASSERT_TRUE(model::match_request(spec_, one.call));
    ASSERT_TRUE(model::match_request(spec_, two.call));
    const std::vector<InferCall*> batch{&one.call, &two.call};
    BatchRunner(session_, spec_, {.max_answer_bytes = 12, .stop = nullptr}).run(batch, answers_);
    EXPECT_FALSE(one.call.response.error);
    ASSERT_TRUE(two.call.response.error);
    EXPECT_EQ(two.call.response.error->code, ErrorCode::kPayloadTooLarge);
    EXPECT_NE(two.call.response.error->message.find("\"y\" has 24 bytes"), std::string::npos);
    EXPECT_TRUE(two.call.response.outputs.empty());
}

}  // namespace
}  // namespace lepton::scheduler
