#include "engines/openvino/openvino_engine.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/leaks.h"
#include "support/temp_folder.h"

namespace lepton::openvino {
namespace {

namespace fs = std::filesystem;
using lepton::testing::TempFolder;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const fs::path kData = LEPTON_TEST_DATA;

// An OpenVINO IR whose tensors have no names: out = in + in, of the given element type.
std::string nameless_ir(const std::string& type, const std::string& precision) {
    const std::string port = "<port id=\"0\" precision=\"" + precision + "\"><dim>2</dim></port>";
    return R"(<?xml version="1.0"?><net name="n" version="11"><layers>
<layer id="0" name="given" type="Parameter" version="opset1"><data shape="2" element_type=")" +
           type + R"("/><output>)" + port + R"(</output></layer>
<layer id="1" name="doubled" type="Add" version="opset1"><data auto_broadcast="numpy"/><input>)" +
           port + "<port id=\"1\"><dim>2</dim></port></input><output><port id=\"2\" precision=\"" +
           precision + R"("><dim>2</dim></port></output></layer>
<layer id="2" name="end" type="Result" version="opset1"><input>)" +
           port + R"(</input></layer></layers><edges>
<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
<edge from-layer="0" from-port="0" to-layer="1" to-port="1"/>
<edge from-layer="1" from-port="2" to-layer="2" to-port="0"/></edges></net>)";
}

std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class OpenVinoEngineTest : public ::testing::Test {
protected:
    std::string error_of(const fs::path& path) {
        const auto graph = engine_.open(path, {});
        if (graph) return "opened";
        EXPECT_EQ(graph.error().code, ErrorCode::kInvalidArgument);
        EXPECT_THAT(graph.error().message, StartsWith(path.string()));
        EXPECT_THAT(graph.error().message, Not(HasSubstr("\n")));
        EXPECT_THAT(graph.error().message, Not(HasSubstr(".cpp")));
        return graph.error().message;
    }

    TempFolder folder_;
    OpenVinoEngine engine_;
};

TEST_F(OpenVinoEngineTest, SaysItsNameAndVersion) {
    EXPECT_EQ(engine_.name(), "openvino");
    EXPECT_THAT(engine_.version(), ::testing::MatchesRegex("20[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST_F(OpenVinoEngineTest, ReadsTheKindsOfItsFrontEnds) {
    for (const char* name : {"m.onnx", "m.xml", "m.pb", "m.tflite", "m.pdmodel", "m.savedmodel"}) {
        EXPECT_TRUE(engine_.reads(name)) << name;
    }
    for (const char* name : {"m.pt", "m.bin", "m", "m.fake", "onnx"}) {
        EXPECT_FALSE(engine_.reads(name)) << name;
    }
    folder_.write("exported/saved_model.pb", "");
    EXPECT_TRUE(engine_.reads(folder_.path() / "exported"));
}

TEST_F(OpenVinoEngineTest, ReportsTheSignatureInTheModelsOwnOrder) {
    const auto graph = engine_.open(kData / "fixed.onnx", {});
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ((*graph)->platform(), "openvino_onnx");
    ASSERT_EQ((*graph)->inputs().size(), 2u);
    EXPECT_EQ((*graph)->inputs()[0].name, "b");
    EXPECT_EQ((*graph)->inputs()[1].name, "a");
    ASSERT_EQ((*graph)->outputs().size(), 2u);
    EXPECT_EQ((*graph)->outputs()[0].name, "sum");
    EXPECT_EQ((*graph)->outputs()[1].name, "difference");
    EXPECT_EQ((*graph)->outputs()[1].shape, (Shape{2, 3}));
    EXPECT_EQ((*graph)->outputs()[1].dtype, DataType::kFp32);
}

TEST_F(OpenVinoEngineTest, AxesOfAnyExtentAreMinusOne) {
    const auto graph = engine_.open(kData / "sequence.onnx", {});
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ((*graph)->inputs()[0].shape, (Shape{-1, -1}));
    EXPECT_EQ((*graph)->inputs()[0].dtype, DataType::kInt64);
    EXPECT_EQ((*graph)->outputs()[0].shape, (Shape{-1, 1}));
}

TEST_F(OpenVinoEngineTest, TheConfigurationMayFixShapes) {
    engine::OpenOptions options;
    options.input_shapes = {{"ids", {-1, 8}}};
    const auto graph = engine_.open(kData / "sequence.onnx", options);
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ((*graph)->inputs()[0].shape, (Shape{-1, 8}));

    options.input_shapes = {{"words", {-1, 8}}};
    const auto unknown = engine_.open(kData / "sequence.onnx", options);
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().message, HasSubstr("no input \"words\""));
}

TEST_F(OpenVinoEngineTest, NamelessTensorsGoByTheNamesOfTheirNodes) {
    const auto graph = engine_.open(folder_.write("model.xml", nameless_ir("f32", "FP32")), {});
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ((*graph)->platform(), "openvino_ir");
    EXPECT_EQ((*graph)->inputs()[0].name, "given");
    EXPECT_EQ((*graph)->outputs()[0].name, "doubled");
}

TEST_F(OpenVinoEngineTest, AnElementTypeWithoutADatatypeIsUnsupported) {
    const auto graph =
        engine_.open(folder_.write("model.xml", nameless_ir("f8e4m3", "F8E4M3")), {});
    ASSERT_FALSE(graph);
    EXPECT_EQ(graph.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(graph.error().message, HasSubstr("input \"given\" has element type f8e4m3"));
}

TEST_F(OpenVinoEngineTest, WrongFilesAreNamedWithTheReason) {
    const fs::path missing = folder_.path() / "none.onnx";
    EXPECT_EQ(error_of(missing), missing.string() + " does not exist");
    const fs::path empty = folder_.write("empty.onnx", "");
    EXPECT_EQ(error_of(empty), empty.string() + " is empty");
    const fs::path no_model = folder_.path() / "m.savedmodel";
    fs::create_directory(no_model);
    EXPECT_EQ(error_of(no_model), no_model.string() + " holds no saved_model.pb");
    const fs::path other = folder_.write("model.txt", "text");
    EXPECT_THAT(error_of(other), HasSubstr("of no kind that OpenVINO reads"));
    // Front ends that are asked in vain are unloaded.
    const lepton::testing::LeaksIgnored ignored;
    for (const char* name : {"m.onnx", "m.xml", "m.pb", "m.tflite", "m.pdmodel"}) {
        EXPECT_THAT(error_of(folder_.write(name, "this is no model at all")),
                    HasSubstr("cannot be read: "));
    }
}

TEST_F(OpenVinoEngineTest, TruncatedFilesAreNamedWithTheReason) {
    const std::string whole = content_of(kData / "fixed.onnx");
    for (const std::size_t size : {whole.size() / 2, whole.size() - 1}) {
        EXPECT_THAT(error_of(folder_.write("model.onnx", whole.substr(0, size))),
                    HasSubstr("cannot be read: "));
    }
    const std::string ir = nameless_ir("f32", "FP32");
    EXPECT_THAT(error_of(folder_.write("model.xml", ir.substr(0, ir.size() / 2))),
                HasSubstr("cannot be read: "));
}

TEST_F(OpenVinoEngineTest, KeepsCompiledModelsInItsCache) {
    engine::OpenOptions options;
    options.cache_dir = folder_.path() / "cache";
    const auto graph = engine_.open(kData / "scale.onnx", options);
    ASSERT_TRUE(graph);
    const auto session = (*graph)->make_session({});
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE((*session)->prepare(1));
    EXPECT_FALSE(fs::is_empty(options.cache_dir));
}

TEST_F(OpenVinoEngineTest, DamagedFileOfItsCacheIsMadeAnew) {
    engine::OpenOptions options;
    options.cache_dir = folder_.path() / "cache";
    const auto compile = [&] {
        const auto graph = engine_.open(kData / "scale.onnx", options);
        ASSERT_TRUE(graph);
        const auto session = (*graph)->make_session({});
        ASSERT_TRUE(session) << session.error().message;
        ASSERT_TRUE((*session)->prepare(1));
    };
    const auto contents = [&] {
        std::map<std::string, std::string> files;
        for (const auto& entry : fs::directory_iterator(options.cache_dir)) {
            std::ifstream file(entry.path(), std::ios::binary);
            files[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
        }
        return files;
    };
    compile();
    const auto whole = contents();
    ASSERT_FALSE(whole.empty());
    compile();
    EXPECT_EQ(contents(), whole);  // It was read, and sealed once.
    const auto damage = [&](const auto& change) {
        for (const auto& [name, content] : whole) {
            std::string changed = content;
            change(changed);
            fs::remove(options.cache_dir / name);
            std::ofstream(options.cache_dir / name, std::ios::binary) << changed;
        }
        const auto before = contents();
        compile();
        const auto after = contents();
        ASSERT_EQ(after.size(), whole.size());
        for (const auto& [name, content] : after) {
            EXPECT_NE(content, before.at(name));
            ASSERT_GT(content.size(), 32u);
            EXPECT_EQ(content.substr(content.size() - 32, 16), "lepton: sealed 1");
        }
    };
    damage([](std::string& content) { content[content.size() / 2] ^= 0x40; });
    damage([](std::string& content) { content[content.size() - 1] ^= 1; });
    damage([](std::string& content) { content.resize(content.size() / 2); });
    damage([](std::string& content) { content.resize(content.size() - 32); });
    damage([](std::string& content) { content.clear(); });
}

}  // namespace
}  // namespace lepton::openvino
