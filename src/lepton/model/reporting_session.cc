#include "lepton/model/reporting_session.h"

#include <algorithm>
#include <utility>

namespace lepton::model {
namespace {

constexpr std::size_t kMostInputsNamed = 4;

}  // namespace

Result<> ReportingSession::run(std::int64_t rows,
                               std::span<const TensorView> inputs,
                               std::span<TensorView> outputs) {
    std::string shapes;
    const std::size_t named = std::min({inputs.size(), graph_.inputs().size(), kMostInputsNamed});
    for (std::size_t i = 0; i < named; ++i) {
        if (i > 0) shapes += ", ";
        shapes.append(graph_.inputs()[i].name).append(" ").append(to_string(inputs[i].shape));
    }
    if (inputs.size() > named) shapes += ", ...";
    tell("at shape " + shapes);
    return session_->run(rows, inputs, outputs);
}

void ReportingSession::tell(std::string step) {
    if (step == told_) return;
    told_ = std::move(step);
    on_step_(told_);
}

}  // namespace lepton::model
