#include "lepton/model/tuning/tuning_record.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lepton/model/model_digest.h"
#include "lepton/model/tuning/cpu_identity.h"
#include "support/temp_folder.h"

namespace lepton::model {
namespace {

using ::testing::HasSubstr;

TuningSubject subject() {
    TuningSubject subject;
    subject.model_digest = "d1";
    subject.engine = "fake 1";
    subject.cpu = "a cpu";
    subject.cores = 2;
    subject.precision = "f32";
    return subject;
}

TuningPlan plan() {
    TuningPlan plan;
    plan.batches = true;
    plan.batching = "yes";
    plan.warm_up = "done";
    plan.threads = 2;
    plan.free_extent = 16;
    plan.service_times = {{1, std::chrono::microseconds(10)}, {16, std::chrono::milliseconds(1)}};
    plan.tuned = true;
    return plan;
}

std::string error_of(const TuningPlan& plan, const TuningSubject& wanted = subject()) {
    const auto parsed = parse_record(to_json(subject(), plan), wanted);
    return parsed ? "believed" : parsed.error().message;
}

TEST(TuningRecord, IsReadAsItWasWritten) {
    const auto read = parse_record(to_json(subject(), plan()), subject());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(read->same_sessions(plan()));
    EXPECT_EQ(read->batching, "yes");
    EXPECT_EQ(read->free_extent, 16);
    EXPECT_EQ(read->service_times[1].time, std::chrono::milliseconds(1));
    EXPECT_TRUE(read->tuned);
}

TEST(TuningRecord, OfSomethingElseIsNotBelieved) {
    TuningSubject other = subject();
    other.model_digest = "d2";
    EXPECT_EQ(error_of(plan(), other), "it is of another model");
    other = subject();
    other.cpu = "another cpu";
    EXPECT_EQ(error_of(plan(), other), "it was measured on a cpu");
    other = subject();
    other.engine = "fake 2";
    EXPECT_EQ(error_of(plan(), other), "it was measured with fake 1");
    other = subject();
    other.cores = 4;
    EXPECT_EQ(error_of(plan(), other), "it was measured with 2 cores, not 4");
    other = subject();
    other.pad_to = {16};
    EXPECT_EQ(error_of(plan(), other), "it was measured with other settings");
}

TEST(TuningRecord, OutOfBoundsIsNotBelieved) {
    TuningPlan bad = plan();
    bad.threads = 100'000;
    EXPECT_EQ(error_of(bad), "threads is 100000, 1 to 256 is allowed");
    bad = plan();
    bad.service_times = {};
    EXPECT_THAT(error_of(bad), HasSubstr("the number of row counts is 0"));
    bad = plan();
    bad.service_times[0].rows = 2;
    EXPECT_EQ(error_of(bad), "a row count is 2, 1 to 1 is allowed");
    bad = plan();
    bad.service_times[1].rows = 1;
    EXPECT_THAT(error_of(bad), HasSubstr("a row count is 1, 2 to "));
    bad = plan();
    bad.service_times[1].rows = 1'000'000;
    EXPECT_THAT(error_of(bad), HasSubstr("it has runs of 1000000 rows, at most 64 are allowed"));
    bad = plan();
    bad.service_times[1].time = -std::chrono::seconds(1);
    EXPECT_THAT(error_of(bad), HasSubstr("the time of a run is -1000000000"));
    bad = plan();
    bad.service_times[0].time = {};
    EXPECT_EQ(error_of(bad), "the time of a run is 0, 1 to 86400000000000 is allowed");
    bad = plan();
    bad.warm_up = "skipped";
    bad.service_times[1].time = {};
    EXPECT_EQ(error_of(bad), "the time of a run is 0, 1 to 86400000000000 is allowed");
    bad = plan();
    bad.batches = false;
    EXPECT_THAT(error_of(bad), HasSubstr("the number of row counts is 2, 1 to 1 is allowed"));
    bad = plan();
    bad.free_extent = 0;
    EXPECT_THAT(error_of(bad), HasSubstr("free_extent is 0"));
    bad = plan();
    bad.warm_up = std::string(10'000, 'x');
    EXPECT_EQ(error_of(bad), "believed");  // It was cut when it was written.
    bad = plan();
    bad.warm_up = "skipped";
    bad.service_times = {{1, {}}};
    EXPECT_EQ(error_of(bad), "believed");  // Nothing is known of its time.
}

TEST(TuningRecord, EveryCutAndEveryOtherByteIsNoCrash) {
    const std::string whole = to_json(subject(), plan());
    for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
        EXPECT_FALSE(parse_record(whole.substr(0, size), subject()));
        std::string changed = whole;
        changed[size] = static_cast<char>(changed[size] ^ 0x11);
        static_cast<void>(parse_record(changed, subject()));
    }
}

TEST(ModelDigest, IsOfAllFilesOfTheVersion) {
    const lepton::testing::TempFolder folder;
    const auto file = folder.write("1/model.onnx", "graph");
    const auto digest = [&] { return digest_of_model(file).value(); };
    const std::string before = digest();
    EXPECT_EQ(before.size(), 32u);
    folder.write("lepton.json", "{}");
    EXPECT_EQ(digest(), before);
    folder.write("1/weights/w.bin", "1");
    const std::string with_weights = digest();
    EXPECT_NE(with_weights, before);
    folder.write("1/weights/w.bin", "2");
    EXPECT_NE(digest(), with_weights);
}

TEST(CpuIdentity, IsTheNameAndWhatItCanDo) {
    const std::string text =
        "processor\t: 0\nmodel name\t: A CPU\nflags\t\t: sse avx\n\nprocessor\t: 1\n";
    EXPECT_THAT(parse_cpu_identity(text), ::testing::StartsWith("A CPU "));
    EXPECT_NE(parse_cpu_identity(text),
              parse_cpu_identity("model name\t: A CPU\nflags\t\t: sse\n"));
    EXPECT_THAT(parse_cpu_identity(""), ::testing::StartsWith("unknown "));
    EXPECT_FALSE(cpu_identity().empty());
}

}  // namespace
}  // namespace lepton::model
