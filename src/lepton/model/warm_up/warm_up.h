#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "lepton/engine/engine.h"
#include "lepton/model/warm_up/declared_samples.h"
#include "lepton/model/warm_up/sample_data.h"

namespace lepton::model {

// Runs a session with sample data while a model loads. Not thread-safe; the owner serialises.
class WarmUp {
public:
    // `batches`: axis 0 counts rows. `free_extent` stands for each other axis of any extent.
    WarmUp(const engine::Graph& graph, bool batches, std::int64_t free_extent)
        : graph_(graph), batches_(batches), free_extent_(free_extent) {}
    // With inputs that were declared, and nothing made up. `sample` must outlive it.
    WarmUp(const engine::Graph& graph, bool batches, const DeclaredSample& sample)
        : graph_(graph), batches_(batches), declared_(&sample) {}

    // The shapes of the inputs of a run of that many rows.
    [[nodiscard]] std::vector<Shape> shapes(std::int64_t rows) const;

    // One run with the rows from `first_row` of the sample table; the outputs stay valid until the
    // session runs again.
    Result<std::vector<TensorView>> run(engine::Session& session,
                                        std::int64_t first_row,
                                        std::int64_t rows,
                                        SampleContent content = SampleContent::kMild) const;

    // Time of a run: the quickest of a few, after one that is not counted. Takes 3 ms, or three
    // runs where they are longer.
    Result<Clock::duration> time(engine::Session& session, std::int64_t rows) const;

    // Whether two rows, unlike each other where they are made up, give together what each gives
    // alone. Rows that the model does not take say nothing: true. Precondition: prepared for 1 and
    // 2 rows.
    [[nodiscard]] bool rows_agree(engine::Session& session, bool computed_in_16_bits) const;

private:
    [[nodiscard]] SampleData data(std::int64_t first_row,
                                  std::int64_t rows,
                                  SampleContent content) const;

    const engine::Graph& graph_;
    bool batches_;
    std::int64_t free_extent_ = 1;
    const DeclaredSample* declared_ = nullptr;
};

}  // namespace lepton::model
