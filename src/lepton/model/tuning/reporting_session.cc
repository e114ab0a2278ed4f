#include "lepton/model/tuning/reporting_session.h"

#include <algorithm>
#include <utility>

namespace lepton::model {
namespace {

constexpr std::size_t kMostInputsNamed = 4;

}  // namespace

std::string shapes_text(const engine::Graph& graph, std::span<const Shape> shapes) {
    std::string text;
    const std::size_t named = std::min({shapes.size(), graph.inputs().size(), kMostInputsNamed});
    for (std::size_t i = 0; i < named; ++i) {
        if (i > 0) text += ", ";
        text.append(graph.inputs()[i].name).append(" ").append(to_string(shapes[i]));
    }
    if (shapes.size() > named) text += ", ...";
    return text;
}

Result<> ReportingSession::run(std::int64_t rows,
                               std::span<const TensorView> inputs,
                               std::span<TensorView> outputs) {
    std::vector<Shape> shapes;
    shapes.reserve(inputs.size());
    for (const TensorView& input : inputs) shapes.push_back(input.shape);
    const std::string of_sample = sample_->empty() ? "" : " of " + *sample_;
    tell("at shape " + shapes_text(graph_, shapes) + of_sample);
    return session_->run(rows, inputs, outputs);
}

void ReportingSession::tell(std::string step) {
    if (step == told_) return;
    told_ = std::move(step);
    on_step_(told_);
}

}  // namespace lepton::model
