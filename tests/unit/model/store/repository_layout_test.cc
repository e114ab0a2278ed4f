#include "lepton/model/store/repository_layout.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;
using lepton::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names_of(const std::vector<ModelFolder>& models) {
    std::vector<std::string> names;
    for (const ModelFolder& model : models) names.push_back(model.name);
    return names;
}

std::vector<std::int64_t> numbers_of(const ModelFolder& model) {
    std::vector<std::int64_t> numbers;
    for (const VersionFolder& version : model.versions) numbers.push_back(version.number);
    return numbers;
}

TEST(RepositoryLayout, FindsModelsAndTheirVersionsInOrder) {
    const TempFolder root;
    root.write("b/2/model.onnx", "");
    root.write("b/10/model.onnx", "");
    root.write("b/1/model.onnx", "");
    root.write("a/config.pbtxt", "");
    const fs::path roots[] = {root.path()};
    const auto models = scan_roots(roots);
    ASSERT_TRUE(models) << models.error().message;
    EXPECT_THAT(names_of(*models), ElementsAre("a", "b"));
    EXPECT_THAT((*models)[0].versions, IsEmpty());
    EXPECT_THAT(numbers_of((*models)[1]), ElementsAre(1, 2, 10));
}

TEST(RepositoryLayout, OnlyPositiveIntegersAreVersions) {
    const TempFolder root;
    for (const char* name : {"0", "-1", "01", "1a", "v2", ".3", "99999999999999999999", "4"}) {
        root.write(fs::path("m") / name / "model.onnx", "");
    }
    root.write("m/5", "a file");
    EXPECT_THAT(numbers_of(scan_model(root.path() / "m")), ElementsAre(4));
}

TEST(RepositoryLayout, ARootMayBeTheFolderOfOneModel) {
    const TempFolder root;
    root.write("digits/1/model.onnx", "");
    root.write("others/text/1/model.onnx", "");
    const fs::path roots[] = {root.path() / "digits", root.path() / "others" / ""};
    const auto models = scan_roots(roots);
    ASSERT_TRUE(models) << models.error().message;
    EXPECT_THAT(names_of(*models), ElementsAre("digits", "text"));
}

TEST(RepositoryLayout, PassesOverPlainFilesAndHiddenFolders) {
    const TempFolder root;
    root.write("README.md", "");
    root.write(".git/1/model.onnx", "");
    const fs::path roots[] = {root.path()};
    EXPECT_THAT(*scan_roots(roots), IsEmpty());
}

TEST(RepositoryLayout, WhatIsNoModelIsPassedOver) {
    const TempFolder root;
    root.write("good/1/model.onnx", "");
    root.write("2024/1/model.onnx", "");
    root.write("configured/config.pbtxt", "");
    for (const char* name : {"lost+found", "docs", "20240101"}) {
        fs::create_directory(root.path() / name);
    }
    root.write("7/report.txt", "");
    root.write("docs/text/readme.txt", "");
    fs::create_directory_symlink("loop", root.path() / "loop");
    fs::create_directory_symlink("..", root.path() / "docs" / "up");
    fs::create_symlink("nowhere", root.path() / "gone");
    const fs::path roots[] = {root.path()};
    const auto models = scan_roots(roots);
    ASSERT_TRUE(models) << models.error().message;
    EXPECT_THAT(names_of(*models), ElementsAre("2024", "configured", "good"));
}

TEST(RepositoryLayout, ARootThatIsNoFolderIsNamed) {
    const fs::path roots[] = {"/nowhere/at/all"};
    const auto models = scan_roots(roots);
    ASSERT_FALSE(models);
    EXPECT_EQ(models.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(models.error().message, "model repository /nowhere/at/all is not a folder");
}

TEST(RepositoryLayout, AModelInTwoRootsIsAnError) {
    const TempFolder one;
    const TempFolder two;
    one.write("m/1/model.onnx", "");
    two.write("m/1/model.onnx", "");
    const fs::path roots[] = {one.path(), two.path()};
    const auto models = scan_roots(roots);
    ASSERT_FALSE(models);
    EXPECT_THAT(models.error().message, HasSubstr("model \"m\" is in two repositories"));
}

TEST(RepositoryLayout, TheModelFileIsTheOneCalledModel) {
    const TempFolder root;
    root.write("1/model.xml", "");
    root.write("1/model.bin", "");
    root.write("1/labels.txt", "");
    EXPECT_EQ(*find_model_file(root.path() / "1", ""), root.path() / "1" / "model.xml");
    root.write("2/model.savedmodel/saved_model.pb", "");
    EXPECT_EQ(*find_model_file(root.path() / "2", ""), root.path() / "2" / "model.savedmodel");
}

TEST(RepositoryLayout, OtherFilesOfItsNameLieBesideTheModel) {
    const TempFolder root;
    for (const char* name : {"model.onnx", "model.json", "model.mapping", "model.onnx.sha256"}) {
        root.write(fs::path("1") / name, "");
    }
    EXPECT_EQ(*find_model_file(root.path() / "1", ""), root.path() / "1" / "model.onnx");
    root.write("2/model.fake", "");
    EXPECT_EQ(*find_model_file(root.path() / "2", ""), root.path() / "2" / "model.fake");
}

TEST(RepositoryLayout, TheConfigurationMayNameTheModelFile) {
    const TempFolder root;
    root.write("1/model.onnx", "");
    root.write("1/other.onnx", "");
    EXPECT_EQ(*find_model_file(root.path() / "1", "other.onnx"), root.path() / "1" / "other.onnx");
    EXPECT_THAT(find_model_file(root.path() / "1", "third.onnx").error().message,
                HasSubstr("third.onnx does not exist"));
}

TEST(RepositoryLayout, NoModelFileAndMoreThanOneAreErrors) {
    const TempFolder root;
    root.write("1/readme.txt", "");
    EXPECT_THAT(find_model_file(root.path() / "1", "").error().message,
                HasSubstr("holds no file model.<extension>"));
    root.write("2/model.xml", "");
    root.write("2/model.onnx", "");
    EXPECT_THAT(find_model_file(root.path() / "2", "").error().message,
                HasSubstr("more than one model: model.onnx and model.xml"));
}

}  // namespace
}  // namespace lepton::model
