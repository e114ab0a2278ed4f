#include "lepton/engine/registry.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace lepton::engine {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(EngineRegistry, NamesThePlugInsOfItsFolderWithoutLoadingThem) {
    const EngineRegistry registry(LEPTON_ENGINE_FOLDER);
    EXPECT_THAT(registry.names(), Contains("fake"));
    EXPECT_THAT(registry.names(), Contains("openvino"));
}

TEST(EngineRegistry, LoadsAPlugInByNameAndKeepsIt) {
    EngineRegistry registry(LEPTON_ENGINE_FOLDER);
    const Result<Engine*> engine = registry.by_name("fake");
    ASSERT_TRUE(engine) << engine.error().message;
    EXPECT_EQ((*engine)->name(), "fake");
    EXPECT_EQ(*registry.by_name("fake"), *engine);
}

TEST(EngineRegistry, ChoosesTheEngineByTheFileName) {
    EngineRegistry registry(LEPTON_ENGINE_FOLDER);
    const Result<Engine*> fake = registry.for_model("somewhere/model.fake");
    ASSERT_TRUE(fake) << fake.error().message;
    EXPECT_EQ((*fake)->name(), "fake");
}

TEST(EngineRegistry, FindsOpenVinoForItsFilesAmongTheOthers) {
    EngineRegistry registry(LEPTON_ENGINE_FOLDER);
    const Result<Engine*> openvino = registry.for_model("somewhere/model.onnx");
    ASSERT_TRUE(openvino) << openvino.error().message;
    EXPECT_EQ((*openvino)->name(), "openvino");
}

TEST(EngineRegistry, SaysWhichEnginesThereAreWhenOneIsMissing) {
    EngineRegistry registry(LEPTON_ENGINE_FOLDER);
    const Result<Engine*> engine = registry.by_name("warp");
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(engine.error().message, HasSubstr("no engine \"warp\""));
    EXPECT_THAT(engine.error().message, HasSubstr("fake"));
}

TEST(EngineRegistry, AFileThatNoEngineReadsIsUnsupported) {
    EngineRegistry registry(LEPTON_ENGINE_FOLDER);
    const Result<Engine*> engine = registry.for_model("model.txt");
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(engine.error().message, HasSubstr("no engine reads model.txt"));
}

TEST(EngineRegistry, APlugInThatIsNoLibraryIsNamedWithTheReason) {
    const lepton::testing::TempFolder folder;
    folder.write("lepton_engine_broken.so", "not a library");
    EngineRegistry registry(folder.path());
    const Result<Engine*> engine = registry.by_name("broken");
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, ErrorCode::kInternal);
    EXPECT_THAT(engine.error().message, HasSubstr("lepton_engine_broken.so does not load"));
    EXPECT_THAT(registry.for_model("model.x").error().message, HasSubstr("does not load"));
}

TEST(EngineRegistry, ALibraryWithoutTheEntryPointIsRefused) {
    // Any library will do; this one is loaded already.
    const lepton::testing::TempFolder folder;
    std::filesystem::create_symlink("/lib/x86_64-linux-gnu/libm.so.6",
                                    folder.path() / "lepton_engine_math.so");
    EngineRegistry registry(folder.path());
    const Result<Engine*> engine = registry.by_name("math");
    ASSERT_FALSE(engine);
    EXPECT_THAT(engine.error().message, HasSubstr("has no function lepton_make_engine"));
}

TEST(EngineRegistry, AFolderThatDoesNotExistHasNoEngines) {
    EngineRegistry registry("/nowhere");
    EXPECT_THAT(registry.names(), IsEmpty());
    EXPECT_THAT(registry.by_name("openvino").error().message, HasSubstr("there are: none"));
}

class LinkedEngine final : public Engine {
public:
    [[nodiscard]] std::string_view name() const override { return "linked"; }
    [[nodiscard]] std::string version() const override { return "1"; }
    [[nodiscard]] bool reads(const std::filesystem::path& path) const override {
        return path.extension() == ".linked";
    }
    Result<std::unique_ptr<Graph>> open(const std::filesystem::path&, const OpenOptions&) override {
        return fail(ErrorCode::kUnsupported, "not offered");
    }
};

TEST(EngineRegistry, TakesEnginesThatAreLinkedIn) {
    EngineRegistry registry("/nowhere");
    registry.add(std::make_unique<LinkedEngine>());
    EXPECT_THAT(registry.names(), Contains("linked"));
    EXPECT_EQ((*registry.for_model("m.linked"))->name(), "linked");
}

// Named like another one.
class NamedEngine final : public Engine {
public:
    explicit NamedEngine(std::string name) : name_(std::move(name)) {}
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] std::string version() const override { return "1"; }
    [[nodiscard]] bool reads(const std::filesystem::path& path) const override {
        return path.extension() == ".onnx" || path.extension() == ".own";
    }
    Result<std::unique_ptr<Graph>> open(const std::filesystem::path&, const OpenOptions&) override {
        return fail(ErrorCode::kUnsupported, "not offered");
    }

private:
    std::string name_;
};

class ChoiceOfEngineTest : public ::testing::Test {
protected:
    ChoiceOfEngineTest() {
        for (const char* name : {"another", "onnxruntime", "openvino"}) {
            engines_.add(std::make_unique<NamedEngine>(name));
        }
    }
    std::string chosen(const char* backend, const char* platform, const char* file = "model.onnx") {
        const Result<Engine*> engine = engines_.choose(backend, platform, file);
        return engine ? std::string((*engine)->name()) : engine.error().message;
    }

    EngineRegistry engines_{"/nowhere"};
};

TEST_F(ChoiceOfEngineTest, TheTablePrefersOneAmongThoseThatRead) {
    EXPECT_EQ(chosen("", ""), "openvino");
    EXPECT_EQ(chosen("", "", "model.own"), "another") << "beyond the table by name";
}

TEST_F(ChoiceOfEngineTest, TheConfigurationCountsInTritonsWordsToo) {
    EXPECT_EQ(chosen("another", ""), "another");
    EXPECT_EQ(chosen("onnxruntime", "openvino_onnx"), "onnxruntime");
    EXPECT_EQ(chosen("", "onnxruntime_onnx"), "onnxruntime");
    EXPECT_EQ(chosen("tensorrt", ""), "openvino") << "what is not here does not count";
    EXPECT_EQ(chosen("another", "", "model.xml"),
              "config.pbtxt asks for engine \"another\", which does not read model.xml");
}

}  // namespace
}  // namespace lepton::engine
