#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <openvino/core/model.hpp>

#include "engines/openvino/rows/row_value.h"

namespace lepton::openvino {

// Proves on the graph that a run of a batch gives each of its rows what a run of that row alone
// gives it. `alone` is the model with its shapes inferred for one row, `together` a clone of it for
// `rows` rows, at least 2. The walk goes from operation to operation, in both at once, with a rule
// for each type of operation (row_operation.h) that says where rows lie in its outputs, or that the
// operation mixes them. It ends at the first that does, or for which there is no rule.
//
//     x [rows, 8]     Reshape       MatMul           Softmax, axis 1     y [rows, 4]
//     rows: axis 0 -> [rows*2, 4] -> [rows*2, 2]  -> ...
//                     axis 0, inner 2                axis 0: rows would meet; axis 1: they do not
//
// The proof holds for these shapes; others are proven by their own walk. It does not cover whether
// the engine computes each operation as it is defined. Sums may be taken in another order.
//
// The first `inputs` parameters of the model have their rows along axis 0; further ones are weights
// (shape_skeleton.h). The result is empty if the proof succeeds, and otherwise says which operation
// prevents it, and why, as in: Softmax "scores" works across the rows of a batch.
[[nodiscard]] std::string find_row_dependence(ov::Model& alone,
                                              ov::Model& together,
                                              std::size_t inputs,
                                              std::int64_t rows);

// One walk: returns what is known of each result of the model, given what is known of its
// parameters.
[[nodiscard]] std::vector<RowValue> follow_rows(ov::Model& alone,
                                                ov::Model& together,
                                                const std::vector<RowValue>& parameters,
                                                std::int64_t rows);

}  // namespace lepton::openvino
