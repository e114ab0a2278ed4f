#include "lepton/model/tuning/row_counts.h"

#include <algorithm>

namespace lepton::model {
namespace {

constexpr double kGain = 0.97;
constexpr double kAboutAsLittle = 1.03;

// For models whose shapes are known only with the request: nothing is prepared, so nothing else
// bounds a batch.
constexpr std::int64_t kMostDynamicRows = 16;

double per_row(const ServiceTime& run) {
    return static_cast<double>(run.time.count()) / static_cast<double>(run.rows);
}

}  // namespace

std::size_t row_counts_worth_having(std::span<const ServiceTime> times) {
    double least = per_row(times.front());
    for (const ServiceTime& run : times) least = std::min(least, per_row(run));
    if (least > kGain * per_row(times.front())) return 1;
    std::size_t kept = times.size();
    while (per_row(times[kept - 1]) > kAboutAsLittle * least) --kept;
    return kept;
}

std::int64_t most_rows_of_run(const engine::Session& session,
                              std::span<const TensorSpec> inputs,
                              std::int64_t max_batch_size) {
    const bool fixed = std::all_of(inputs.begin(), inputs.end(), [](const TensorSpec& input) {
        return input.shape.row().is_static();
    });
    const std::int64_t most =
        fixed && !session.prepared().empty() ? session.prepared().back() : kMostDynamicRows;
    return max_batch_size > 0 ? std::min(most, max_batch_size) : most;
}

}  // namespace lepton::model
