#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lepton/core/data_type.h"
#include "lepton/core/shape.h"

namespace lepton {

struct TensorSpec {
    std::string name;
    DataType dtype = DataType::kFp32;
    Shape shape;  // Whole shape, batch axis included; -1 where any extent is accepted.
    // What the engine holds the elements in while it computes, where that is narrower than dtype:
    // values that do not fit are refused, because the engine would compute with others.
    std::optional<DataType> computed_as{};
};

// What a loaded version of a model takes and gives, as its metadata reports it. Immutable once the
// model is ready; shared by the requests that use it.
struct ModelSpec {
    std::string name;
    std::string version;   // A positive integer, in decimal.
    std::string platform;  // Triton's word for engine and format, e.g. "openvino_onnx".
    std::vector<TensorSpec> inputs;
    std::vector<TensorSpec> outputs;

    // True when axis 0 of every tensor counts independent rows, so that requests may share a run.
    bool batches = false;
    // Most rows that one request may carry; 0 for no bound of its own (longer ones run in pieces).
    std::int64_t max_batch_size = 0;
    // Extents, ascending, to which the open axes behind the batch axis are padded with zeros, so
    // that requests of different extents share a run; empty: such requests run apart.
    std::vector<std::int64_t> pad_to;

    // Why the engine would answer otherwise than the model; every request is refused with it.
    // Empty: it would not.
    std::string defect;

    // How it is run, for a person: {"engine", "openvino 2026.4.1"}, {"precision", "f32"}, ...
    std::vector<std::pair<std::string, std::string>> properties;
};

}  // namespace lepton
