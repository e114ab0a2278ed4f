#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/core/shape.h"
#include "lepton/inference.h"

namespace lepton::bench {

struct InputOptions {
    std::int64_t rows = 0;  // Extent of a first axis that requests choose; 0: one.
    std::vector<std::pair<std::string, Shape>> shapes = {};  // Whole shapes, by input.
    std::uint64_t seed = 1;
};

// Parses "image:1,3,224,224". Errors: kInvalidArgument, with the text.
[[nodiscard]] Result<std::pair<std::string, Shape>> parse_shape(std::string_view text);

// The inputs of one request, made up from the model's description and a seed. Floats lie in [-1,
// 1); integers are 0 or 1, which is a valid token, mask and index everywhere; strings are a few
// short words. Owns what a request looks at.
class ModelInputs {
public:
    // Errors: kInvalidArgument, for a shape that the model does not take, or that it leaves open.
    [[nodiscard]] static Result<ModelInputs> make(const ModelInfo& model,
                                                  const InputOptions& options);

    // `request` then views this object, which must not move until the call has ended.
    void put_into(InferRequest& request) const;
    [[nodiscard]] std::size_t bytes() const;

private:
    struct Tensor {
        std::string name;
        DataType dtype = DataType::kFp32;
        Shape shape;
        std::vector<std::byte> data;
    };
    std::vector<Tensor> tensors_;
};

}  // namespace lepton::bench
