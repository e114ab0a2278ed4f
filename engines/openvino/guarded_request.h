#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <openvino/runtime/compiled_model.hpp>
#include <openvino/runtime/infer_request.hpp>

#include "engines/openvino/graph.h"
#include "lepton/core/result.h"

namespace lepton::openvino {

// An infer request that verifies that its outputs come from the run that was asked for: each is
// marked before a run (run_marks.h), state of earlier runs is reset, and what the guards in the
// graph found is an error. Its outputs are the compiled model's, not the signature's. Not
// thread-safe; the owner serializes.
class GuardedRequest {
public:
    GuardedRequest() = default;
    // Errors: kInternal.
    static Result<GuardedRequest> make(ov::CompiledModel compiled,
                                       std::shared_ptr<const Plan> plan);

    void set_input(std::size_t index, const ov::Tensor& tensor) {
        request_.set_input_tensor(index, tensor);
    }
    // From then on runs write output `index` to that tensor, whose shape is the output's.
    void set_output(std::size_t index, const ov::Tensor& tensor);
    // From then on output `index` has whatever shape a run gives it.
    void open_output(std::size_t index, const ov::PartialShape& shape);

    // `thorough` marks outputs from end to end rather than at their beginning, for the first run of
    // a shape. Open ones always are, since their memory is new in each run and may hold anything.
    // Throws what OpenVINO throws. Errors: kInvalidArgument for values that a guard found,
    // kInternal where OpenVINO left an output, or a part of it, as it was.
    Result<> infer(bool thorough);

    // The output of the last run.
    [[nodiscard]] const ov::Tensor& output(std::size_t index) const {
        return outputs_[index].tensor;
    }
    // The part of the shape that is the same in all runs.
    [[nodiscard]] const ov::PartialShape& fixed_shape(std::size_t index) const {
        return outputs_[index].fixed_shape;
    }
    // The number of outputs without those of the guards.
    [[nodiscard]] std::size_t output_count() const {
        return outputs_.size() - plan_->faults.size();
    }

private:
    struct Output {
        ov::Tensor tensor;
        bool open = false;
        ov::PartialShape shape;  // An open output's shape, as far as it is known.
        ov::PartialShape fixed_shape;
    };

    // Runs pass 0 or 1, which differ in their marks.
    void run(std::size_t pass, bool thorough);
    // Returns the first output that the run has not written, or the number of outputs.
    [[nodiscard]] std::size_t unwritten(std::size_t pass, bool thorough) const;

    ov::InferRequest request_;
    std::shared_ptr<const Plan> plan_;
    std::vector<Output> outputs_;
};

}  // namespace lepton::openvino
