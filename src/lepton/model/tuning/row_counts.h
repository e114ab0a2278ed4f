#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lepton/core/model_spec.h"
#include "lepton/engine/engine.h"
#include "lepton/model/loaded_model.h"

namespace lepton::model {

// How many of the row counts that were timed, ascending and beginning with 1, are worth having: all
// up to the largest whose rows cost about as little as the cheapest; only the first where no rows
// are at least 3 % cheaper together.
//
// Those between stay although their time may look bad: it was measured in a moment in which
// anything may have had the processor, and the scheduler finds out while it serves.
[[nodiscard]] std::size_t row_counts_worth_having(std::span<const ServiceTime> times);

// Most rows of one run of a model that batches; larger requests run in pieces. `max_batch_size` is
// its bound, 0 for none.
[[nodiscard]] std::int64_t most_rows_of_run(const engine::Session& session,
                                            std::span<const TensorSpec> inputs,
                                            std::int64_t max_batch_size);

}  // namespace lepton::model
