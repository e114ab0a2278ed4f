#pragma once

#include <string>
#include <vector>

#include <openvino/core/model.hpp>

#include "lepton/core/result.h"

namespace lepton::openvino {

// Guards against values for which OpenVINO's CPU plug-in ends the process, or reads out of bounds:
// an integer divided by zero (Divide, Mod, FloorMod), a Range whose step is zero, extents of a
// Col2Im below one, indices of a GatherND outside its data. (It fills a Range that goes against its
// step with values that were not asked for; here it becomes empty, as ONNX defines it.) Where a
// request can cause such a value, the graph computes with a harmless one in its place, and a
// further output, one boolean after the model's own, is true.
// model's own, is true.
// The result names, for each of those outputs, what the request did wrong. Errors: kUnsupported for
// such an operation in the body of a loop or a branch, from where no output can be obtained.
Result<std::vector<std::string>> add_value_guards(ov::Model& model);

}  // namespace lepton::openvino
