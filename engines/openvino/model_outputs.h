#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <openvino/core/model.hpp>

namespace lepton::openvino {

// Where an output of the model's signature comes from.
struct OutputSource {
    enum class Kind : std::uint8_t {
        kComputed,  // The compiled model's output of that number.
        kInput,     // The input of that number, as it was given.
    };
    Kind kind = Kind::kComputed;
    std::size_t index = 0;
};

// Removes from the model the outputs that OpenVINO does not tell apart: one that is an input of the
// graph, since its tensor is the input's, and further ones for a tensor that is an output already.
// Runs compute what remains; the result says where each output of the signature is found. A model
// left with no outputs keeps one of its own, which no source here refers to.
[[nodiscard]] std::vector<OutputSource> separate_outputs(ov::Model& model);

}  // namespace lepton::openvino
