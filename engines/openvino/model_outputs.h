#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <openvino/core/model.hpp>

namespace lepton::openvino {

// Where an output of the model's signature comes from.
struct OutputSource {
    enum class Kind : std::uint8_t {
        kComputed,  // The output of that number of the model as it is compiled.
        kInput,     // The input of that number, as it was given.
    };
    Kind kind = Kind::kComputed;
    std::size_t index = 0;
};

// Takes from the model the outputs that OpenVINO does not tell apart: one that is an input of the
// graph, since its tensor is the input's, and further ones of a tensor that is an output already.
// What remains is what runs compute; the result says where each output of the signature is found.
// A model of which nothing remained keeps one output of its own, that of no source here.
[[nodiscard]] std::vector<OutputSource> separate_outputs(ov::Model& model);

}  // namespace lepton::openvino
