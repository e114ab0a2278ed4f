#pragma once

#include <cstddef>
#include <span>

#include "lepton/model/loaded_model.h"

namespace lepton::model {

// How many of the row counts that were timed, ascending and beginning with 1, are worth having: all
// up to the largest whose rows cost about as little as the cheapest; only the first where no rows
// are at least 3 % cheaper together.
//
// Those between stay although their time may look bad: it was measured in a moment in which
// anything may have had the processor, and the scheduler finds out while it serves.
[[nodiscard]] std::size_t row_counts_worth_having(std::span<const ServiceTime> times);

}  // namespace lepton::model
