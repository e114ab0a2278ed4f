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

// Runs a model whose shapes are all known once the number of rows is: one compiled model of fixed
// shape per prepared row count, all on the same memory.
//
//     slot of input 0    [row 0][row 1] ... [row 15]        64-byte aligned
//     request, 1 row      ^----^
//     request, 16 rows    ^---------------------- ^
//
// Why not one compiled model with a dynamic batch axis: for a 128-256-256-10 perceptron, one thread
// of an EPYC at 2.6 GHz, OpenVINO 2026.4, infer() with 1, 2, 4, 8, 16 rows takes
//
//     fixed shapes     8.6   8.5  11.8  19.0  36 us
//     dynamic batch   17.2  17.6  15.8  23.4  37 us, and 34 us when the row count changes
//
// at a start-up cost of 17 ms per row count. With the tensors in place, run() is infer() and little
// else.
//
// Where a run has fewer rows than were compiled, the spare ones repeat its last row: nothing of an
// earlier run is computed with, and no values are made up that the model may not take. Not
// thread-safe; the owner serializes.
class StaticSession final : public engine::Session {
public:
    // `one_row` is the model with every shape fixed, for one row where it batches.
    static Result<std::unique_ptr<engine::Session>> make(const SessionContext& context,
                                                         std::shared_ptr<const ov::Model> one_row);

    Result<> prepare(std::int64_t rows) override;
    void drop(std::int64_t rows) override;
    [[nodiscard]] std::span<const std::int64_t> prepared() const override { return row_counts_; }
    [[nodiscard]] std::span<std::byte> slot(std::size_t index) override;
    Result<> run(std::int64_t rows,
                 std::span<const TensorView> inputs,
                 std::span<TensorView> outputs) override;

private:
    // One input or output, for all row counts.
    struct Tensor {
        std::string name;
        DataType dtype = DataType::kFp32;
        Shape shape;                     // With axis 0; for one row where the model batches.
        std::size_t row_bytes = 0;       // 0 for kBytes.
        AlignedBytes memory;             // The slot; none for kBytes.
        std::vector<std::byte> encoded;  // For an output of kBytes, or one that is an input.
    };
    // The model for one row count.
    struct Bucket {
        std::int64_t rows = 1;
        GuardedRequest request;
        bool bound = false;
        bool proven = false;             // Set by a run whose outputs were marked from end to end.
        std::vector<ov::Tensor> inputs;  // They use the slots; those of kBytes own their strings.
        std::vector<const std::byte*> foreign;  // Per input: set in place of the slot, or null.
    };

    StaticSession(const SessionContext& context, std::shared_ptr<const ov::Model> one_row);

    void bind(Bucket& bucket);
    void bind_all();
    [[nodiscard]] Result<> check_rows(std::int64_t rows) const;
    Result<Bucket> compile_bucket(std::int64_t rows);
    Result<Bucket*> bucket_for(std::int64_t rows);
    Result<> place_input(Bucket& bucket,
                         std::size_t index,
                         std::int64_t rows,
                         const TensorView& view);
    void fill_spare_rows(Bucket& bucket, std::size_t index, std::int64_t rows);
    Result<> view_output(const Bucket& bucket,
                         std::size_t index,
                         std::int64_t rows,
                         std::span<const TensorView> inputs,
                         TensorView& view);

    std::weak_ptr<const Source> source_;
    std::shared_ptr<const Plan> plan_;
    std::shared_ptr<const ov::Model> one_row_;  // Kept until the first prepare(1).
    engine::SessionOptions options_;
    bool batches_;
    StringContent strings_;
    std::vector<Tensor> inputs_;
    std::vector<Tensor> outputs_;
    std::vector<Bucket> buckets_;  // Ascending by rows, like row_counts_.
    std::vector<std::int64_t> row_counts_;
    std::int64_t slot_rows_ = 0;  // Rows that fit in each slot.
};

}  // namespace lepton::openvino
