#pragma once

#include <openvino/core/model.hpp>

namespace lepton::openvino {

// Writes in other operations what OpenVINO's CPU plug-in computes wrongly: a Tile whose repeats are
// values of the run, of which it leaves most of the output unwritten (2026.4), and an Einsum that
// only passes its operand on, whose output stays empty. Throws what OpenVINO throws.
void repair(ov::Model& model);

}  // namespace lepton::openvino
