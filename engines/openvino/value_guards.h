#pragma once

#include <string>
#include <vector>

#include <openvino/core/model.hpp>

#include "lepton/core/result.h"

namespace lepton::openvino {

// Values for which OpenVINO's CPU plug-in ends the process, or reads beyond a tensor: an integer
// divided by zero (Divide, Mod, FloorMod), a Range whose step is zero, extents of a Col2Im below
// one, indices of a GatherND beyond its data. (A Range against its step it fills with what is not
// asked for; it is made empty here, as ONNX has it.) Where a request can bring such a value about,
// the graph computes with a harmless one in its place, and a further output, one boolean behind the
// model's own, is true.
//
// The result names, for each of those outputs, what the request did wrong. Errors: kUnsupported for
// such an operation within the body of a loop or a branch, from where no output can be had.
Result<std::vector<std::string>> add_value_guards(ov::Model& model);

}  // namespace lepton::openvino
