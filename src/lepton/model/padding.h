#pragma once

#include <cstdint>

#include "lepton/core/model_spec.h"
#include "lepton/core/request.h"

namespace lepton::model {

// From which extent to which the open axes of a request are padded; equal for none.
struct Padding {
    std::int64_t from = 0;
    std::int64_t to = 0;

    [[nodiscard]] bool needed() const { return from != to; }
};

// By spec.pad_to. None where the model does not batch, where the request's open axes have different
// extents, or one that is larger than the largest to which is padded. Precondition: the request
// matches the model, its inputs in the model's order.
[[nodiscard]] Padding padding_of(const ModelSpec& spec, const Request& request);

// What becomes of `shape`, whose open axes are those of `signature`, when they go from
// `padding.from` to `padding.to`.
[[nodiscard]] Shape padded(const Shape& shape, const Shape& signature, const Padding& padding);

}  // namespace lepton::model
