#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <openvino/runtime/tensor.hpp>

#include "engines/openvino/aligned_bytes.h"
#include "engines/openvino/guarded_request.h"
#include "engines/openvino/session_context.h"
#include "lepton/engine/engine.h"

namespace lepton::openvino {

// Runs a model whose shapes are known only with the request, such as a sequence's length: one
// compiled model, which OpenVINO specializes to each shape when it first sees it and then keeps for
// a while. New shapes are checked first (shape_guard.h), since OpenVINO may not survive those that
// the model does not take. There are no slots, and each run passes its inputs to OpenVINO. Not
// thread-safe; the owner serializes.
class DynamicSession final : public engine::Session {
public:
    static Result<std::unique_ptr<engine::Session>> make(const SessionContext& context);

    // Nothing is compiled per row count: the count is only remembered.
    Result<> prepare(std::int64_t rows) override;
    void drop(std::int64_t rows) override;
    [[nodiscard]] std::span<const std::int64_t> prepared() const override { return row_counts_; }
    [[nodiscard]] std::span<std::byte> slot(std::size_t) override { return {}; }
    Result<> may_share(std::span<const TensorView> inputs) override;
    std::span<const std::size_t> output_bytes(std::span<const TensorView> inputs) override;
    Result<> run(std::int64_t rows,
                 std::span<const TensorView> inputs,
                 std::span<TensorView> outputs) override;

private:
    struct Input {
        std::string name;
        AlignedBytes memory;  // For data that is not aligned.
        std::size_t capacity = 0;
        ov::Tensor strings;  // For kBytes.
    };
    struct Output {
        std::string name;
        DataType dtype = DataType::kFp32;
        AlignedBytes memory;  // Used where the inputs' shapes determine its size.
        std::size_t capacity = 0;
        ov::PartialShape shape;          // The latest run's, as far as it was known before it.
        std::vector<std::byte> encoded;  // For kBytes, or an output that is an input.
    };

    DynamicSession(const SessionContext& context, GuardedRequest request);

    // Compiles the model anew, which resets all its state.
    Result<> compile_again();
    Result<> take_shapes(std::span<const TensorView> inputs);
    void place_output(std::size_t index, ov::PartialShape shape);

    Result<> set_input(std::size_t index, const TensorView& view);
    Result<> view_output(std::size_t index,
                         std::int64_t rows,
                         std::span<const TensorView> inputs,
                         TensorView& view);

    std::weak_ptr<const Source> source_;
    std::shared_ptr<const Plan> plan_;
    engine::SessionOptions options_;
    bool batches_;
    StringContent strings_;
    GuardedRequest request_;
    std::vector<Shape> shapes_;  // The shapes of the latest run's inputs; empty before the first.
    bool proven_ = false;        // Whether a run of these shapes was marked from end to end.
    bool depend_on_values_ = false;
    // A failed run leaves shapes of its own in the compiled model, which expects those of the run
    // before to be still there, and would compute with the wrong ones.
    bool spoiled_ = false;
    std::vector<Shape> shared_;  // The shapes whose rows were last proven independent.
    std::vector<Shape> sized_;   // The shapes that output_bytes_ holds for.
    std::vector<std::size_t> output_bytes_;
    std::vector<Input> inputs_;
    std::vector<Output> outputs_;
    std::vector<std::int64_t> row_counts_;
};

}  // namespace lepton::openvino
