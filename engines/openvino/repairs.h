#pragma once

#include <openvino/core/model.hpp>

namespace lepton::openvino {

// Replaces what OpenVINO's CPU plug-in computes wrongly by other operations: a Tile whose repeats
// are values of the run, most of whose output it leaves unwritten (2026.4), and an Einsum that only
// passes its operand on, whose output stays empty. Throws what OpenVINO throws.
void repair(ov::Model& model);

}  // namespace lepton::openvino
