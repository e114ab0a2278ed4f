#include "lepton/server.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/fake_models.h"
#include "support/temp_folder.h"

namespace {

thread_local std::uint64_t allocations = 0;

void* count_and_allocate(std::size_t size, std::size_t alignment) {
    ++allocations;
    const std::size_t whole = (size + alignment - 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) { return count_and_allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return count_and_allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace lepton {
namespace {

using namespace std::chrono_literals;
using testing::fake_model;
using testing::TempFolder;

class ServerTest : public ::testing::Test {
protected:
    Server open() {
        Result<Server> server = try_open();
        if (!server) throw std::runtime_error(server.error().message);
        return *std::move(server);
    }
    Result<Server> try_open() {
        ServerOptions options;
        options.services = {folder_.path().string()};
        options.engines_dir = LEPTON_ENGINE_FOLDER;
        options.log_level = "off";
        return Server::open(options);
    }
    void add_model(const std::string& name, std::string_view more = R"("add": 1)") {
        folder_.write(name + "/1/model.fake", fake_model("-1, 2", more));
    }
    InferRequest request(const std::string& model = "m") {
        InferRequest asked;
        asked.model = model;
        asked.inputs.push_back(make_input("x", values_, {1, 2}));
        return asked;
    }

    // 100 rows.
    InferRequest long_request() {
        InferRequest asked;
        asked.model = "m";
        asked.inputs.push_back(make_input("x", many_values_, {100, 2}));
        return asked;
    }

    TempFolder folder_;
    std::vector<float> values_ = {1.0F, 2.0F};
    std::vector<float> many_values_ = std::vector<float>(200);
};

TEST_F(ServerTest, AnswerIsWhatTheModelMakesOfTheInputs) {
    add_model("m");
    Server server = open();
    InferRequest asked = request();
    asked.id = "seven";
    const Result<InferResult> result = server.infer(asked);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->model_name(), "m");
    EXPECT_EQ(result->model_version(), "1");
    EXPECT_EQ(result->id(), "seven");
    const auto y = (*result)["y"].as<float>();
    EXPECT_EQ(std::vector(y.begin(), y.end()), (std::vector{2.0F, 3.0F}));
    EXPECT_GT(result->timing().total, Clock::duration::zero());
}

TEST_F(ServerTest, WarmCallAllocatesNothing) {
    add_model("m");
    Server server = open();
    const InferRequest asked = request();
    InferResult result;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(server.infer(asked, result));
    const std::uint64_t before = allocations;
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(server.infer(asked, result));
    EXPECT_EQ(allocations - before, 0u);
}

TEST_F(ServerTest, TellsOfItsCallsWhatAServerTells) {
    add_model("m");
    Server server = open();
    InferRequest asked = request();
    asked.id = "seven";
    ASSERT_TRUE(server.infer(asked));
    const Result<std::string> slow = server.slow_requests("m");
    ASSERT_TRUE(slow) << slow.error().message;
    EXPECT_NE(slow->find(R"("id":"seven")"), std::string::npos) << *slow;
    EXPECT_NE(slow->find(R"("protocol":"in_process")"), std::string::npos) << *slow;
    EXPECT_EQ(server.slow_requests("other")->find("seven"), std::string::npos);
    const Result<std::string> metrics = server.metrics();
    ASSERT_TRUE(metrics) << metrics.error().message;
    EXPECT_NE(metrics->find("lepton_request_seconds_count{model=\"m\""), std::string::npos);
    server.close();
    EXPECT_EQ(server.metrics().error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(server.slow_requests().error().code, ErrorCode::kUnavailable);
}

TEST_F(ServerTest, ErrorsAreThoseOfTheServerAndLeaveTheResultEmpty) {
    add_model("m");
    Server server = open();
    InferResult result;
    ASSERT_TRUE(server.infer(request(), result));
    InferRequest wrong = request();
    wrong.inputs[0].shape = {2, 2};
    Result<> refused = server.infer(wrong, result);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(result.outputs().empty());
    refused = server.infer(request("other"), result);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kModelNotFound);
    InferRequest late = request();
    late.deadline = Clock::now() - 1ms;
    refused = server.infer(late, result);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(ServerTest, TextsThatAreNoTensorAreRefused) {
    folder_.write("m/1/model.fake",
                  R"({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [-1]}],
                      "outputs": [{"name": "y", "datatype": "BYTES", "shape": [-1]}]})");
    Server server = open();
    BytesTensor texts;
    texts.add("a");
    texts.add("bc");
    InferRequest asked;
    asked.model = "m";
    asked.inputs.push_back(texts.input("x"));
    const Result<InferResult> result = server.infer(asked);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ((*result)["y"].strings(), (std::vector<std::string_view>{"a", "bc"}));
    asked.inputs[0].data = asked.inputs[0].data.first(3);
    const Result<InferResult> refused = server.infer(asked);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

// Counts callbacks down, and waits for the last.
class Answers {
public:
    explicit Answers(int count) : left_(count) {}
    void add(Result<InferResult> result) {
        const std::lock_guard lock(mutex_);
        results_.push_back(std::move(result));
        --left_;
        changed_.notify_all();
    }
    int left() {
        const std::lock_guard lock(mutex_);
        return left_;
    }
    std::vector<Result<InferResult>> wait() {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(changed_.wait_for(lock, 10s, [this] { return left_ == 0; }));
        return std::move(results_);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int left_;
    std::vector<Result<InferResult>> results_;
};

TEST_F(ServerTest, EachCallbackIsCalledOnceWithItsAnswer) {
    add_model("m", R"("add": 1, "delay_us": 1000)");
    Server server = open();
    Answers answers(20);
    for (int i = 0; i < 20; ++i) {
        server.infer_async(request(),
                           [&](Result<InferResult> result) { answers.add(std::move(result)); });
    }
    for (const Result<InferResult>& result : answers.wait()) {
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ((*result)["y"].as<float>()[1], 3.0F);
    }
    Answers refused(1);
    server.infer_async(request("other"),
                       [&](Result<InferResult> result) { refused.add(std::move(result)); });
    EXPECT_EQ(refused.wait().at(0).error().code, ErrorCode::kModelNotFound);
}

TEST_F(ServerTest, ThreadsThatFindTheModelBusyQueueAndAreAnswered) {
    add_model("m", R"("add": 1, "delay_us": 200)");
    Server server = open();
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            const std::vector<float> mine = {static_cast<float>(t), 0.0F};
            InferRequest asked;
            asked.model = "m";
            asked.inputs.push_back(make_input("x", mine, {1, 2}));
            InferResult result;
            for (int i = 0; i < 50; ++i) {
                if (server.infer(asked, result) &&
                    result["y"].as<float>()[0] == static_cast<float>(t) + 1.0F) {
                    ++right;
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, 200);
}

TEST_F(ServerTest, CallThatCannotMeetItsDeadlineDoesNotWaitForTheRunBeforeIt) {
    add_model("m", R"("delay_us_per_row": 4000)");
    Server server = open();
    Answers before(1);
    server.infer_async(long_request(),
                       [&](Result<InferResult> result) { before.add(std::move(result)); });
    // An instance has it by now; so it is not answered together with this one.
    InferRequest asked = request();
    asked.timeout = 20ms;
    const Result<InferResult> result = server.infer(asked);
    EXPECT_EQ(before.left(), 1);
    ASSERT_FALSE(result);
    // At once if the run's end was foreseen, else at the deadline.
    EXPECT_TRUE(result.error().code == ErrorCode::kOverloaded ||
                result.error().code == ErrorCode::kDeadlineExceeded);
    EXPECT_TRUE(before.wait().at(0));
}

TEST_F(ServerTest, CloseWaitsForTheCallsThatItHasAndRefusesFurtherOnes) {
    add_model("m", R"("delay_us_per_row": 500)");
    Server server = open();
    Answers answers(2);
    for (int i = 0; i < 2; ++i) {
        server.infer_async(long_request(),
                           [&](Result<InferResult> result) { answers.add(std::move(result)); });
    }
    server.close();
    for (const Result<InferResult>& result : answers.wait()) EXPECT_TRUE(result);
    const Result<InferResult> refused = server.infer(request());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    EXPECT_TRUE(server.models().empty());
    server.close();
}

TEST_F(ServerTest, ModelsComeAndGo) {
    add_model("a");
    Server server = open();
    EXPECT_FALSE(server.load("b"));
    add_model("b");
    EXPECT_TRUE(server.load("b"));
    EXPECT_EQ(server.models(), (std::vector<std::string>{"a", "b"}));
    const Result<ModelInfo> info = server.model("a");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->versions, std::vector<std::string>{"1"});
    EXPECT_EQ(info->inputs.at(0).name, "x");
    ASSERT_TRUE(server.unload("a"));
    EXPECT_EQ(server.infer(request("a")).error().code, ErrorCode::kUnavailable);
    ASSERT_TRUE(server.load("a"));
    EXPECT_TRUE(server.infer(request("a")));
}

TEST_F(ServerTest, FolderWithoutAModelIsNamed) {
    const Result<Server> server = try_open();
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(server.error().message.find(folder_.path().string()), std::string::npos);
}

TEST_F(ServerTest, ModelThatDoesNotLoadIsNamedWithTheReason) {
    add_model("good");
    folder_.write("bad/1/model.fake", "no json");
    const Result<Server> server = try_open();
    ASSERT_FALSE(server);
    EXPECT_NE(server.error().message.find("model \"bad\""), std::string::npos);
    EXPECT_EQ(server.error().message.find("good"), std::string::npos);
}

}  // namespace
}  // namespace lepton
