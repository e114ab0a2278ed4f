#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <openvino/core/model.hpp>

#include "lepton/core/result.h"
#include "lepton/core/sync.h"
#include "lepton/core/tensor.h"

namespace lepton::openvino {

// What the model does with inputs of one shape.
struct ShapeFacts {
    // The signature's outputs; extents are open where they depend on values.
    std::vector<ov::PartialShape> outputs;
    bool depend_on_values = false;  // Whether shapes within the model depend on values.
    // Why rows of these shapes must not share a run; empty where they are proven independent.
    std::string dependence;
};

// Finds out, without running the model, whether it takes inputs of given shapes, which shapes the
// outputs will have, and whether rows are independent. Works on a copy of the graph without
// weights, so that a new shape costs little memory and some milliseconds; results are kept. Shared
// by the sessions of a graph. Thread-safe.
class ShapeGuard {
public:
    // `model` is as the front end read it. Errors: kInternal.
    static Result<std::shared_ptr<ShapeGuard>> make(const ov::Model& model);

    // Errors: kInvalidArgument, with the reason why the model refuses these shapes.
    Result<std::shared_ptr<const ShapeFacts>> facts(std::span<const Shape> inputs);

    // Like facts(), with `dependence`: axis 0 of each input is the same number of rows, at least 1.
    Result<std::shared_ptr<const ShapeFacts>> facts_of_rows(std::span<const Shape> inputs);

private:
    using Found = Result<std::shared_ptr<const ShapeFacts>>;

    ShapeGuard(std::shared_ptr<ov::Model> skeleton, std::shared_ptr<ov::Model> second);

    Found find(std::span<const Shape> inputs, bool rows);
    Found infer(std::span<const Shape> inputs, bool rows) LEPTON_REQUIRES(mutex_);

    Mutex mutex_;
    std::shared_ptr<ov::Model> skeleton_ LEPTON_GUARDED_BY(mutex_);
    std::shared_ptr<ov::Model> alone_ LEPTON_GUARDED_BY(mutex_);  // A clone, for one row.
    std::map<std::vector<std::int64_t>, Found> known_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::openvino
