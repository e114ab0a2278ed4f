#include "lepton/model/warm_up/declared_samples.h"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lepton/model/warm_up/sample_data.h"
#include "support/temp_folder.h"
#include "support/tensors.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;
using lepton::testing::length_prefixed;
using lepton::testing::values_of;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Lt;

using Content = WarmUpSample::Content;

WarmUpSample sample_of(std::vector<WarmUpSample::Input> inputs, std::int64_t batch_size = 1) {
    return {.name = "s", .batch_size = batch_size, .count = 1, .inputs = std::move(inputs)};
}

WarmUpSample::Input from_file(DataType dtype, Shape dims, std::string file) {
    return {"x", dtype, dims, Content::kFile, std::move(file)};
}

std::string_view text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class DeclaredSamplesTest : public ::testing::Test {
protected:
    Result<std::vector<DeclaredSample>> read(const WarmUpSample& sample,
                                             std::int64_t max_batch_size = 0) const {
        return read_samples(
            {&sample, 1}, folder_.path() / "m/warmup", max_batch_size > 0, max_batch_size);
    }
    DeclaredSample sample(const WarmUpSample& declared, std::int64_t max_batch_size = 0) const {
        auto samples = read(declared, max_batch_size);
        EXPECT_TRUE(samples) << samples.error().message;
        return samples ? std::move(samples->front()) : DeclaredSample{};
    }
    std::string error_of(const WarmUpSample& declared, std::int64_t max_batch_size = 0) const {
        const auto samples = read(declared, max_batch_size);
        return samples ? "read" : samples.error().message;
    }
    fs::path write(const std::string& name, std::string_view content) const {
        return folder_.write("m/warmup/" + name, content);
    }

    lepton::testing::TempFolder folder_;
};

TEST_F(DeclaredSamplesTest, ZerosAndRandomDataAreMadeUp) {
    const DeclaredSample read =
        sample(sample_of({{"a", DataType::kInt32, {2, 3}, {}, {}},
                          {"b", DataType::kFp32, {100}, Content::kRandom, {}},
                          {"c", DataType::kInt64, {100}, Content::kRandom, {}},
                          {"d", DataType::kBytes, {2}, Content::kRandom, {}}}));
    ASSERT_EQ(read.inputs.size(), 4u);
    EXPECT_EQ(read.inputs[0].shape, (Shape{2, 3}));
    EXPECT_EQ(read.inputs[0].data, std::vector<std::byte>(24));
    const TensorView floats{DataType::kFp32, {100}, read.inputs[1].data};
    EXPECT_THAT(values_of<float>(floats), Each(AllOf(Ge(0.0F), Lt(1.0F))));
    const TensorView whole{DataType::kInt64, {100}, read.inputs[2].data};
    EXPECT_THAT(values_of<std::int64_t>(whole), Each(AllOf(Ge(0), Lt(std::int64_t{1} << 31))));
    EXPECT_EQ(read.inputs[3].data, length_prefixed({"", ""}));
}

TEST_F(DeclaredSamplesTest, RandomDataAreTheSameEachTime) {
    const WarmUpSample declared = sample_of({{"x", DataType::kUint8, {64}, Content::kRandom, {}}});
    EXPECT_EQ(sample(declared).inputs[0].data, sample(declared).inputs[0].data);
    EXPECT_NE(sample(declared).inputs[0].data, std::vector<std::byte>(64));
}

TEST_F(DeclaredSamplesTest, AFileHasExactlyTheElements) {
    write("x.bin", "abcdef");
    EXPECT_EQ(
        text_of(sample(sample_of({from_file(DataType::kUint8, {2, 3}, "x.bin")})).inputs[0].data),
        "abcdef");
    for (const Shape& dims : {Shape{5}, Shape{7}}) {
        EXPECT_THAT(error_of(sample_of({from_file(DataType::kUint8, dims, "x.bin")})),
                    AllOf(HasSubstr("warm-up sample \"s\": input \"x\" has shape"),
                          HasSubstr("takes " + std::to_string(dims[0]) + " bytes, and "),
                          HasSubstr("x.bin has 6")));
    }
}

TEST_F(DeclaredSamplesTest, StringsAreCheckedElementByElement) {
    const auto strings = [](std::int64_t count) {
        return sample_of({from_file(DataType::kBytes, {count}, "x")});
    };
    const std::vector<std::byte> two = length_prefixed({"ab", ""});
    write("x", text_of(two));
    EXPECT_EQ(sample(strings(2)).inputs[0].data, two);
    EXPECT_THAT(error_of(strings(1)), HasSubstr("has 4 bytes after them"));
    EXPECT_THAT(error_of(strings(3)), HasSubstr("takes between 12 and"));
    write("x", std::string_view("\xff\xff\xff\xff-only-so-many", 17));
    EXPECT_THAT(error_of(strings(1)), HasSubstr("ends within element 0"));
    write("x", std::string_view("\0\0\0\0\0\0", 6));
    EXPECT_THAT(error_of(strings(1)), HasSubstr("has 2 bytes after them"));
}

TEST_F(DeclaredSamplesTest, OnlyFilesOfTheFolderAreRead) {
    write("x", "abc");
    folder_.write("m/secret", "abc");
    folder_.write("n/secret", "abc");
    fs::create_directory(folder_.path() / "m/warmup/folder");
    fs::create_symlink("../secret", folder_.path() / "m/warmup/up");
    fs::create_symlink(folder_.path() / "n/secret", folder_.path() / "m/warmup/out");
    fs::create_symlink("x", folder_.path() / "m/warmup/within");
    fs::create_symlink(".", folder_.path() / "m/warmup/itself");
    const auto named = [this](const std::string& file) {
        return error_of(sample_of({from_file(DataType::kUint8, {3}, file)}));
    };
    for (const std::string& file : {std::string("../secret"),
                                    std::string("folder/../x"),
                                    std::string(".."),
                                    std::string(),
                                    std::string("/etc/passwd"),
                                    std::string("x\0y", 3)}) {
        EXPECT_THAT(named(file), HasSubstr("not a plain file name")) << file;
    }
    EXPECT_THAT(named("up"), HasSubstr("leads out of"));
    EXPECT_THAT(named("out"), HasSubstr("leads out of"));
    EXPECT_THAT(named("folder"), HasSubstr("not a file"));
    EXPECT_THAT(named("itself"), HasSubstr("not a file"));
    EXPECT_THAT(named("missing"), HasSubstr("cannot be read"));
    EXPECT_EQ(named("within"), "read");
}

TEST_F(DeclaredSamplesTest, AFolderThatLeadsElsewhereIsNone) {
    folder_.write("n/x", "abc");
    fs::create_directory(folder_.path() / "m");
    fs::create_symlink(folder_.path() / "n", folder_.path() / "m/warmup");
    EXPECT_THAT(error_of(sample_of({from_file(DataType::kUint8, {3}, "x")})),
                HasSubstr("leads out of"));
}

TEST_F(DeclaredSamplesTest, WithABatchTheInputsAreThoseOfOneRow) {
    write("x", "abc");
    const WarmUpSample declared = sample_of({from_file(DataType::kUint8, {3}, "x")}, 4);
    const DeclaredSample read = sample(declared, 8);
    EXPECT_EQ(read.inputs[0].shape, (Shape{1, 3}));
    EXPECT_EQ(read.rows, 4);
    EXPECT_THAT(error_of(declared, 2), HasSubstr("batch_size 4, max_batch_size is 2"));
    EXPECT_THAT(error_of(declared, 0), HasSubstr("batch_size 4, max_batch_size is 0"));
}

TEST_F(DeclaredSamplesTest, SizesAreBounded) {
    const auto of = [](Shape dims, std::int64_t rows = 1) {
        return sample_of({{"x", DataType::kFp64, dims, Content::kZero, {}}}, rows);
    };
    EXPECT_THAT(error_of(of({std::int64_t{1} << 40})), HasSubstr("at most 1073741824 bytes"));
    EXPECT_THAT(error_of(of({std::int64_t{1} << 40, std::int64_t{1} << 40})),
                HasSubstr("at most 1073741824 bytes"));
    EXPECT_THAT(error_of(of({std::int64_t{1} << 20}, 4096), 4096),
                HasSubstr("at most 1073741824 bytes"));
    EXPECT_EQ(error_of(of({0})), "read");
}

const std::vector<TensorSpec> kSignature{{"x", DataType::kFp32, {-1, 3}},
                                         {"ids", DataType::kInt64, {-1}}};

std::string fits(std::vector<DeclaredSample::Input> inputs) {
    std::vector<DeclaredSample> samples{{"sample 1", 1, 1, std::move(inputs)}};
    const Result<> fitted = fit_samples(samples, kSignature);
    if (!fitted) return fitted.error().message;
    const Result<> counted = count_rows(samples);
    return counted ? samples[0].inputs[0].name + " of " + std::to_string(samples[0].rows)
                   : counted.error().message;
}

TEST(FitSamples, NamesWhatIsWrong) {
    const DeclaredSample::Input x{"x", DataType::kFp32, {2, 3}, {}};
    const DeclaredSample::Input ids{"ids", DataType::kInt64, {2}, {}};
    EXPECT_EQ(fits({ids, x}), "x of 2");
    EXPECT_EQ(fits({x}), "sample 1: input \"ids\" is missing");
    EXPECT_EQ(fits({x, ids, {"z", DataType::kFp32, {1}, {}}}),
              "sample 1: input \"z\" is not an input of the model");
    EXPECT_EQ(fits({x, {"ids", DataType::kInt32, {2}, {}}}),
              "sample 1: input \"ids\" is INT32, the model's has datatype INT64");
    EXPECT_EQ(fits({{"x", DataType::kFp32, {2, 4}, {}}, ids}),
              "sample 1: input \"x\" has shape [2,4], the model's has [-1,3]");
    EXPECT_THAT(fits({x, {"ids", DataType::kInt64, {1}, {}}}),
                HasSubstr("input \"ids\" has shape [1], \"x\" has [2,3]: axis 0 counts the rows"));
    EXPECT_THAT(fits({{"x", DataType::kFp32, {0, 3}, {}}, {"ids", DataType::kInt64, {0}, {}}}),
                HasSubstr("at least 1"));
}

TEST(DeclaredSample, ItsRowsRepeat) {
    DeclaredSample sample{"s", 2, 1, {{"x", DataType::kBytes, {2, 2}, {}}}};
    sample.inputs[0].data = length_prefixed({"a", "bb", "", "dddd"});
    const SampleData three(sample, true, 1, 3);
    EXPECT_EQ(three.inputs()[0].shape, (Shape{3, 2}));
    const std::vector<std::byte> expected = length_prefixed({"", "dddd", "a", "bb", "", "dddd"});
    EXPECT_THAT(three.inputs()[0].data, ::testing::ElementsAreArray(expected));
    const SampleData whole(sample, false, 0, 1);
    EXPECT_EQ(whole.inputs()[0].shape, (Shape{2, 2}));
    EXPECT_THAT(whole.inputs()[0].data, ::testing::ElementsAreArray(sample.inputs[0].data));
}

TEST(DeclaredSample, IsPaddedInItsOpenAxes) {
    const std::vector<TensorSpec> inputs{{"x", DataType::kUint8, {-1, -1, 2}}};
    const std::vector<std::byte> data{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    const DeclaredSample sample{"s", 1, 1, {{"x", DataType::kUint8, {1, 2, 2}, data}}};
    const auto padded_to = [&](std::int64_t extent) {
        const DeclaredSample result = padded(sample, inputs, extent);
        return values_of<std::uint8_t>(
            {DataType::kUint8, result.inputs[0].shape, result.inputs[0].data});
    };
    EXPECT_THAT(padded_to(3), ElementsAre(1, 2, 3, 4, 0, 0));
    EXPECT_THAT(padded_to(1), ElementsAre(1, 2));
}

TEST(DeclaredSample, ItsDigestChangesWithAllOfIt) {
    const DeclaredSample sample{"s", 1, 1, {{"x", DataType::kUint8, {1}, {std::byte{1}}}}};
    const auto digest = [](const DeclaredSample& of) {
        return digest_of(std::vector<DeclaredSample>{of});
    };
    EXPECT_EQ(digest(sample), digest(sample));
    std::vector<DeclaredSample> others(6, sample);
    others[0].rows = 2;
    others[1].count = 2;
    others[2].inputs[0].name = "z";
    others[3].inputs[0].dtype = DataType::kInt8;
    others[4].inputs[0].shape = {1, 1};
    others[5].inputs[0].data[0] = std::byte{2};
    for (const DeclaredSample& other : others) EXPECT_NE(digest(other), digest(sample));
    EXPECT_NE(digest_of(std::vector<DeclaredSample>{sample, sample}), digest(sample));
    EXPECT_THAT(digest_of(std::vector<DeclaredSample>{}), IsEmpty());
}

}  // namespace
}  // namespace lepton::model
