#include "lepton/model/tuning/tuning_plan.h"

#include <algorithm>

namespace lepton::model {

bool TuningPlan::same_sessions(const TuningPlan& other) const {
    return batches == other.batches && rows_trusted == other.rows_trusted &&
           threads == other.threads && warm() == other.warm() &&
           std::equal(service_times.begin(),
                      service_times.end(),
                      other.service_times.begin(),
                      other.service_times.end(),
                      [](const ServiceTime& a, const ServiceTime& b) { return a.rows == b.rows; });
}

}  // namespace lepton::model
