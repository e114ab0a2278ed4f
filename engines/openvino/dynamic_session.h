#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <openvino/runtime/infer_request.hpp>

#include "engines/openvino/aligned_bytes.h"
#include "engines/openvino/session_context.h"
#include "lepton/engine/engine.h"

namespace lepton::openvino {

// Runs a model whose shapes are known only with the request, such as a sequence's length: one
// compiled model, which OpenVINO specializes to each shape when it first sees it and then keeps a
// while. There are no slots, and each run tells OpenVINO of its tensors. Not thread-safe; the owner
// serialises.
class DynamicSession final : public engine::Session {
public:
    static Result<std::unique_ptr<engine::Session>> make(const SessionContext& context);

    // There is nothing to compile per row count: it only is remembered.
    Result<> prepare(std::int64_t rows) override;
    void drop(std::int64_t rows) override;
    [[nodiscard]] std::span<const std::int64_t> prepared() const override { return row_counts_; }
    [[nodiscard]] std::span<std::byte> slot(std::size_t) override { return {}; }
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
        ov::Tensor tensor;               // Of the latest run; keeps what was handed out alive.
        std::vector<std::byte> encoded;  // For kBytes.
    };

    DynamicSession(const SessionContext& context, ov::InferRequest request);

    Result<> set_input(std::size_t index, const TensorView& view);
    Result<> view_output(std::size_t index, std::int64_t rows, TensorView& view);

    bool batches_;
    StringContent strings_;
    ov::InferRequest request_;
    std::vector<Input> inputs_;
    std::vector<Output> outputs_;
    std::vector<std::int64_t> row_counts_;
};

}  // namespace lepton::openvino
