// What Session::start() promises, of sessions that come through the plug-in boundary: one that
// computes in the calling thread, and one whose device computes by itself. The fake engine's gpu:1
// has a clock that stands until the test moves it.

#include <dlfcn.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lepton/engine/engine.h"
#include "lepton/engine/registry.h"
#include "support/eventually.h"
#include "support/fake_models.h"
#include "support/temp_folder.h"
#include "support/tensors.h"

namespace lepton::engine {
namespace {

using lepton::testing::eventually;
using lepton::testing::fake_model;
using lepton::testing::values_of;
using lepton::testing::view_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Device kSteady{DeviceKind::kGpu, 0};
constexpr Device kStanding{DeviceKind::kGpu, 1};

class Completion final : public RunCompletion {
public:
    void on_run(Result<> result) noexcept override {
        const std::lock_guard lock(mutex_);
        ++times_;
        thread_ = std::this_thread::get_id();
        result_ = std::move(result);
        told_.notify_all();
    }
    Result<> wait() {
        std::unique_lock lock(mutex_);
        told_.wait(lock, [this] { return times_ > 0; });
        return *result_;
    }
    [[nodiscard]] int times() const {
        const std::lock_guard lock(mutex_);
        return times_;
    }
    [[nodiscard]] bool here() const {
        const std::lock_guard lock(mutex_);
        return thread_ == std::this_thread::get_id();
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable told_;
    int times_ = 0;
    std::thread::id thread_;
    std::optional<Result<>> result_;
};

// One run with its tensors.
struct OneRun {
    explicit OneRun(float value) : values{value, value} {}
    void start(Session& session) { session.start(1, {&input, 1}, {&output, 1}, done); }

    std::vector<float> values;
    TensorView input = view_of(DataType::kFp32, {1, 2}, values);
    TensorView output;
    Completion done;
};

class SessionStartTest : public ::testing::Test {
protected:
    std::unique_ptr<Session> open(Device device, const std::string& more) {
        const auto path = folder_.write("model.fake", fake_model("-1, 2", more));
        OpenOptions options;
        options.device = device;
        auto graph = engine_->open(path, options);
        EXPECT_TRUE(graph) << graph.error().message;
        auto session = (*graph)->make_session({.device = device});
        EXPECT_TRUE(session) << session.error().message;
        EXPECT_TRUE((*session)->prepare(1));
        return *std::move(session);
    }
    void advance(std::int64_t microseconds) {
        const auto library = std::filesystem::path(LEPTON_ENGINE_FOLDER) / "lepton_engine_fake.so";
        void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD);
        ASSERT_NE(handle, nullptr);
        using Advance = void (*)(Engine*, std::int64_t);
        reinterpret_cast<Advance>(dlsym(handle, "lepton_fake_advance"))(engine_, microseconds);
        dlclose(handle);
    }

    lepton::testing::TempFolder folder_;
    EngineRegistry engines_{LEPTON_ENGINE_FOLDER};
    Engine* engine_ = engines_.by_name("fake").value();
};

TEST_F(SessionStartTest, ByDefaultTheRunIsOverWhenStartReturns) {
    const auto session = open({}, R"("add": 1)");
    OneRun run(3);
    run.start(*session);
    EXPECT_EQ(run.done.times(), 1);
    EXPECT_TRUE(run.done.here());
    EXPECT_THAT(values_of<float>(run.output), ElementsAre(4, 4));
}

TEST_F(SessionStartTest, ADeviceComputesBesideTheCallingThread) {
    const auto session = open(kStanding, R"("add": 1, "delay_us": 100)");
    OneRun run(3);
    run.start(*session);
    EXPECT_EQ(run.done.times(), 0);
    advance(99);
    EXPECT_EQ(run.done.times(), 0);
    advance(1);
    ASSERT_TRUE(run.done.wait());
    EXPECT_FALSE(run.done.here());
    EXPECT_THAT(values_of<float>(run.output), ElementsAre(4, 4));
    run.start(*session);
    advance(100);
    ASSERT_TRUE(eventually([&] { return run.done.times() >= 2; }));
}

TEST_F(SessionStartTest, ADeviceComputesTheRunsOfItsSessionsOneAfterTheOther) {
    const auto first = open(kStanding, R"("add": 1, "delay_us": 100)");
    const auto second = open(kStanding, R"("add": 2, "delay_us": 10)");
    OneRun long_one(1);
    OneRun short_one(1);
    long_one.start(*first);
    short_one.start(*second);
    advance(105);
    ASSERT_TRUE(long_one.done.wait());
    EXPECT_EQ(short_one.done.times(), 0) << "it begins when the other is over";
    advance(5);
    ASSERT_TRUE(short_one.done.wait());
    EXPECT_THAT(values_of<float>(short_one.output), ElementsAre(3, 3));
}

TEST_F(SessionStartTest, AnErrorIsToldOnceToo) {
    for (const Device device : {Device{}, kSteady}) {
        const auto session = open(device, R"("fail": "out of luck")");
        OneRun run(1);
        run.start(*session);
        EXPECT_EQ(run.done.wait().error().message, "out of luck");
        EXPECT_EQ(run.done.times(), 1);
        OneRun too_wide(1);
        const std::vector<float> values{1, 2, 3};
        too_wide.input = view_of(DataType::kFp32, {1, 3}, values);
        too_wide.start(*session);
        EXPECT_EQ(too_wide.done.wait().error().code, ErrorCode::kInvalidArgument);
        EXPECT_TRUE(session->alive());
    }
}

TEST_F(SessionStartTest, NothingIsToldOnceTheSessionIsDestroyed) {
    auto session = open(kStanding, R"("delay_us": 1000)");
    const auto other = open(kStanding, "");
    OneRun run(1);
    OneRun behind(1);
    run.start(*session);
    behind.start(*other);
    session.reset();
    EXPECT_EQ(run.done.times(), 1) << "before the destructor has returned";
    EXPECT_EQ(run.done.wait().error().code, ErrorCode::kUnavailable);
    EXPECT_TRUE(behind.done.wait()) << "what others started goes on";
    advance(10'000);
    EXPECT_EQ(run.done.times(), 1);
}

TEST_F(SessionStartTest, ARunInTheCallingThreadWaitsForTheDevice) {
    const auto session = open(kSteady, R"("add": 1)");
    OneRun run(1);
    ASSERT_TRUE(session->run(1, {&run.input, 1}, {&run.output, 1}));
    EXPECT_THAT(values_of<float>(run.output), ElementsAre(2, 2));
}

TEST_F(SessionStartTest, ASessionWhoseDeviceIsLostIsNotAlive) {
    for (const Device device : {Device{}, kSteady}) {
        const auto session = open(device, R"("fail": "lost", "fatal": true)");
        EXPECT_TRUE(session->alive());
        OneRun run(1);
        run.start(*session);
        EXPECT_FALSE(run.done.wait());
        EXPECT_FALSE(session->alive());
        run.start(*session);
        ASSERT_TRUE(eventually([&] { return run.done.times() >= 2; }));
        EXPECT_EQ(run.done.wait().error().code, ErrorCode::kUnavailable);
    }
}

TEST_F(SessionStartTest, DevicesAndParametersAreCheckedByTheirEngine) {
    EXPECT_TRUE(check(*engine_, {}, {}));
    EXPECT_TRUE(check(*engine_, kStanding, {{"delay_us", "7"}, {"whatever", "x"}}));
    const Result<> absent = check(*engine_, {DeviceKind::kGpu, 2}, {});
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(absent.error().message,
              "engine fake has no device gpu:2 here, it has: cpu, gpu:0, gpu:1");
    for (const char* delay : {"", "x", "-1", "60000001", "99999999999999999999", "1 "}) {
        const Result<> wrong = check(*engine_, {}, {{"delay_us", delay}});
        ASSERT_FALSE(wrong) << delay;
        EXPECT_THAT(wrong.error().message, HasSubstr("parameter \"delay_us\""));
    }
    EXPECT_THAT(engine_->unknown({{"delay_us", "7"}, {"whatever", "x"}}).value(),
                ElementsAre("whatever"));
}

}  // namespace
}  // namespace lepton::engine
