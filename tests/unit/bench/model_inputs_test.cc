#include "model_inputs.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

namespace lepton::bench {
namespace {

ModelInfo model_of(std::vector<TensorSpec> inputs) {
    ModelInfo model;
    model.name = std::string("m");
    model.inputs = std::move(inputs);
    return model;
}

std::string error_of(const ModelInfo& model, const InputOptions& options) {
    const auto made = ModelInputs::make(model, options);
    return made ? "" : made.error().message;
}

TEST(ModelInputs, EveryDatatypeIsMadeInTheWiresLayout) {
    for (int i = 0; i < kDataTypeCount; ++i) {
        const auto dtype = static_cast<DataType>(i);
        const auto made = ModelInputs::make(model_of({{"x", dtype, {-1, 3}}}), {.rows = 2});
        ASSERT_TRUE(made);
        InferRequest request;
        made->put_into(request);
        ASSERT_EQ(request.inputs.size(), 1U);
        const Input& input = request.inputs[0];
        EXPECT_EQ(input.shape, (Shape{2, 3}));
        EXPECT_EQ(input.dtype, dtype);
        if (dtype != DataType::kBytes) {
            EXPECT_EQ(input.data.size(), 6 * element_bytes(dtype)) << to_string(dtype);
            continue;
        }
        std::size_t elements = 0;
        for (std::size_t at = 0; at < input.data.size(); ++elements) {
            std::uint32_t size = 0;
            std::memcpy(&size, input.data.data() + at, sizeof size);
            EXPECT_GT(size, 0U);
            at += sizeof size + size;
            ASSERT_LE(at, input.data.size());
        }
        EXPECT_EQ(elements, 6U);
    }
}

TEST(ModelInputs, IntegersAreTokensAndMasksAndFloatsAreSmall) {
    const auto made = ModelInputs::make(
        model_of({{"ids", DataType::kInt64, {1, 64}}, {"x", DataType::kFp32, {1, 64}}}), {});
    ASSERT_TRUE(made);
    InferRequest request;
    made->put_into(request);
    for (std::size_t i = 0; i < 64; ++i) {
        std::int64_t id = -1;
        std::memcpy(&id, request.inputs[0].data.data() + i * sizeof id, sizeof id);
        EXPECT_TRUE(id == 0 || id == 1) << id;
        float value = 2;
        std::memcpy(&value, request.inputs[1].data.data() + i * sizeof value, sizeof value);
        EXPECT_GE(value, -1);
        EXPECT_LT(value, 1);
    }
}

TEST(ModelInputs, SameSeedMakesTheSameBytes) {
    const ModelInfo model = model_of({{"x", DataType::kFp32, {4, 4}}});
    const auto bytes = [&](std::uint64_t seed) {
        InputOptions options;
        options.seed = seed;
        const auto made = ModelInputs::make(model, options);
        InferRequest request;
        made->put_into(request);
        const auto data = request.inputs[0].data;
        return std::vector<std::byte>(data.begin(), data.end());
    };
    EXPECT_EQ(bytes(1), bytes(1));
    EXPECT_NE(bytes(1), bytes(2));
}

TEST(ModelInputs, ShapesThatAModelDoesNotTakeAreNamed) {
    const ModelInfo model = model_of({{"image", DataType::kFp32, {-1, 3, -1, -1}}});
    EXPECT_NE(error_of(model, {}).find("--shape image:"), std::string::npos);
    InputOptions options;
    options.shapes = {{"image", {2, 3, 8, 8}}};
    EXPECT_EQ(error_of(model, options), "");
    options.shapes = {{"image", {2, 1, 8, 8}}};
    EXPECT_NE(error_of(model, options).find("not [2,1,8,8]"), std::string::npos);
    options.shapes = {{"picture", {2, 3, 8, 8}}};
    EXPECT_NE(error_of(model, options).find("it has: image"), std::string::npos);
    options.shapes = {{"image", {1 << 20, 3, 1 << 20, 8}}};
    EXPECT_NE(error_of(model, options).find("more than"), std::string::npos);
    EXPECT_NE(error_of(model_of({{"x", DataType::kFp32, {1, 3}}}), {.rows = 4}).find("--rows"),
              std::string::npos);
}

TEST(ModelInputs, ShapesAreReadFromTheirText) {
    const auto parsed = parse_shape("a:b:1,3,224");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->first, "a:b");
    EXPECT_EQ(parsed->second, (Shape{1, 3, 224}));
    for (const char* wrong : {"",
                              "x",
                              ":1",
                              "x:",
                              "x:1,",
                              "x:-1",
                              "x:1x3",
                              "x:1,,3",
                              "x:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"}) {
        EXPECT_FALSE(parse_shape(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace lepton::bench
