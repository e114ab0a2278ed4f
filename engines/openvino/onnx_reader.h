#pragma once

#include <memory>
#include <string>

#include <openvino/core/model.hpp>

namespace lepton::openvino {

// Reads an ONNX file with the inputs that it declares, in their order and under their names.
// OpenVINO by itself loses some: an input without elements, one that no operation reads once the
// graph is simplified, and the name of one that is an output as well. Inputs that nothing computes
// with are inputs of the result too, and ignored. Throws what OpenVINO throws.
[[nodiscard]] std::shared_ptr<ov::Model> read_onnx(const std::string& file);

}  // namespace lepton::openvino
