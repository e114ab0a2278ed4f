#include "engines/openvino/tokenizers.h"

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/openvino/openvino_engine.h"
#include "support/temp_folder.h"
#include "support/tensors.h"

namespace lepton::openvino {
namespace {

namespace fs = std::filesystem;
using lepton::testing::length_prefixed;
using lepton::testing::TempFolder;
using lepton::testing::values_of;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr float kClose = 1e-5F;  // Rows are padded to the longest of their batch.

std::unique_ptr<engine::Graph> open_text_model() {
    auto graph = OpenVinoEngine().open(fs::path(LEPTON_TEST_DATA) / "text.xml", {});
    EXPECT_TRUE(graph) << graph.error().message;
    return *std::move(graph);
}

std::unique_ptr<engine::Session> make_session(engine::Graph& graph) {
    engine::SessionOptions options;
    options.batches = true;
    auto session = graph.make_session(options);
    EXPECT_TRUE(session) << session.error().message;
    return *std::move(session);
}

Result<std::vector<float>> embed(engine::Session& session,
                                 const std::vector<std::string_view>& texts) {
    const auto rows = static_cast<std::int64_t>(texts.size());
    const std::vector<std::byte> wire = length_prefixed(texts);
    const TensorView input{DataType::kBytes, {rows}, wire};
    TensorView output;
    LEPTON_RETURN_IF_ERROR(session.run(rows, {&input, 1}, {&output, 1}));
    return values_of<float>(output);
}

TEST(OpenVinoTokenizers, AModelThatHasThemTakesText) {
    const auto graph = open_text_model();
    ASSERT_EQ(graph->inputs().size(), 1U);
    EXPECT_EQ(graph->inputs()[0].name, "text");
    EXPECT_EQ(graph->inputs()[0].dtype, DataType::kBytes);
    EXPECT_EQ(graph->outputs()[0].shape, (Shape{-1, 16}));
}

TEST(OpenVinoTokenizers, ATextHasTheSameAnswerInEveryBatch) {
    const auto graph = open_text_model();
    const auto session = make_session(*graph);
    const std::string long_text(4000, 'a');
    const std::array<std::string_view, 4> texts{
        "the quick fox", "", "Gr\xc3\xb6\xc3\x9f", long_text};
    std::vector<float> alone;
    for (const std::string_view text : texts) {
        const auto embedding = embed(*session, {text});
        ASSERT_TRUE(embedding) << embedding.error().message;
        alone.insert(alone.end(), embedding->begin(), embedding->end());
    }
    const auto together = embed(*session, {texts.begin(), texts.end()});
    ASSERT_TRUE(together) << together.error().message;
    EXPECT_THAT(*together, Pointwise(FloatNear(kClose), alone));
}

TEST(OpenVinoTokenizers, TextThatIsNotUtf8IsRefusedAndTheNextIsAnswered) {
    const auto graph = open_text_model();
    const auto session = make_session(*graph);
    const auto refused = embed(*session,
                               {"fine",
                                "b\xff"
                                "ad"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(refused.error().message,
                HasSubstr("element 1 of input \"text\" is not UTF-8 at its byte 1"));
    EXPECT_TRUE(embed(*session, {"fine"}));
}

TEST(OpenVinoTokenizers, SessionsOfOneModelRunAtTheSameTime) {
    const auto graph = open_text_model();
    const auto reference = embed(*make_session(*graph), {"how much of the fox", "is"});
    std::vector<std::thread> threads;
    std::array<int, 3> wrong{};
    threads.reserve(wrong.size());
    for (int& mine : wrong) {
        threads.emplace_back([&, session = make_session(*graph)] {
            for (int i = 0; i < 200; ++i) {
                const auto got = embed(*session, {"how much of the fox", "is"});
                if (!got || *got != *reference) ++mine;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(wrong, ::testing::Each(0));
}

TEST(OpenVinoTokenizers, AMissingLibraryIsNamedWithWhatInstallsIt) {
    ov::Core core;
    const Result<> added = add_tokenizers(core, "/nowhere/libopenvino_tokenizers.so");
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(added.error().message, HasSubstr("there is no /nowhere/libopenvino_tokenizers.so"));
    EXPECT_THAT(added.error().message, HasSubstr("pip install openvino-tokenizers==2"));
}

TEST(OpenVinoTokenizers, ALibraryThatIsNoneIsNamed) {
    const TempFolder folder;
    const fs::path file = folder.write("libopenvino_tokenizers.so", "no library");
    ov::Core core;
    const Result<> added = add_tokenizers(core, file);
    ASSERT_FALSE(added);
    EXPECT_THAT(added.error().message, HasSubstr(file.string() + " cannot be loaded: "));
}

TEST(OpenVinoTokenizers, OnlyTheMessageOfAMissingOperationAsksForThem) {
    EXPECT_TRUE(
        asks_for_tokenizers("Cannot create RegexSplit layer from unsupported opset: extension"));
    EXPECT_FALSE(asks_for_tokenizers("Cannot create Foo layer from unsupported opset: opset99"));
}

}  // namespace
}  // namespace lepton::openvino
