#include "lepton/model/row_counts.h"

#include <algorithm>

namespace lepton::model {
namespace {

constexpr double kGain = 0.97;
constexpr double kAboutAsLittle = 1.03;

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

}  // namespace lepton::model
