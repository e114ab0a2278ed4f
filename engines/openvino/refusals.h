#pragma once

#include <openvino/core/model.hpp>

namespace lepton::openvino {

// Whether a run of this model, as it is compiled, may end in an exception: shapes are inferred
// during the run, or an operation looks at values and refuses some. Every operation counts as one
// that may, except for those that are known not to.
[[nodiscard]] bool may_refuse_at_run(const ov::Model& model);

// Whether any tensor's shape is known only with the values of a run.
[[nodiscard]] bool has_open_shapes(const ov::Model& model);

}  // namespace lepton::openvino
