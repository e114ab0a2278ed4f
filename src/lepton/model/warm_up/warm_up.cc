#include "lepton/model/warm_up/warm_up.h"

#include <algorithm>

#include "lepton/model/warm_up/row_agreement.h"

namespace lepton::model {
namespace {

constexpr Clock::duration kTimeToSpend = std::chrono::milliseconds(3);
constexpr std::size_t kMostRuns = 32;
constexpr std::size_t kFewestRuns = 3;

// Bytes of one of two rows, each of which was also computed alone. Elements of kBytes differ in
// length, so that a row ends where the row alone says.
TensorView row_of_two(const TensorView& both, const TensorView& first_alone, bool second) {
    TensorView row = both;
    row.shape[0] = 1;
    const std::size_t cut = std::min(first_alone.data.size(), both.data.size());
    row.data = second ? both.data.subspan(cut) : both.data.first(cut);
    return row;
}

// Outputs that outlive the session's next run.
struct Kept {
    explicit Kept(const std::vector<TensorView>& outputs) : views(outputs) {
        for (TensorView& view : views) {
            bytes.emplace_back(view.data.begin(), view.data.end());
            view.data = bytes.back();
        }
    }
    std::vector<std::vector<std::byte>> bytes;
    std::vector<TensorView> views;
};

}  // namespace

SampleData WarmUp::data(std::int64_t first_row, std::int64_t rows, SampleContent content) const {
    if (declared_ != nullptr) return {*declared_, batches_, first_row, rows};
    return {graph_.inputs(), batches_, first_row, rows, free_extent_, content};
}

std::vector<Shape> WarmUp::shapes(std::int64_t rows) const {
    if (declared_ == nullptr) return sample_shapes(graph_.inputs(), batches_, rows, free_extent_);
    std::vector<Shape> shapes;
    for (const DeclaredSample::Input& input : declared_->inputs) {
        shapes.push_back(input.shape);
        if (batches_) shapes.back()[0] = rows;
    }
    return shapes;
}

Result<std::vector<TensorView>> WarmUp::run(engine::Session& session,
                                            std::int64_t first_row,
                                            std::int64_t rows,
                                            SampleContent content) const {
    const SampleData sample = data(first_row, rows, content);
    std::vector<TensorView> outputs(graph_.outputs().size());
    LEPTON_RETURN_IF_ERROR(session.run(rows, sample.inputs(), outputs));
    return outputs;
}

Result<Clock::duration> WarmUp::time(engine::Session& session, std::int64_t rows) const {
    const SampleData sample = data(0, rows, SampleContent::kMild);
    std::vector<TensorView> outputs(graph_.outputs().size());
    LEPTON_RETURN_IF_ERROR(session.run(rows, sample.inputs(), outputs));
    // What disturbs a run only ever adds to it.
    Clock::duration quickest = Clock::duration::max();
    Clock::duration spent{};
    for (std::size_t runs = 0; runs < kFewestRuns || (runs < kMostRuns && spent < kTimeToSpend);
         ++runs) {
        const Clock::time_point start = Clock::now();
        LEPTON_RETURN_IF_ERROR(session.run(rows, sample.inputs(), outputs));
        const Clock::duration took = Clock::now() - start;
        quickest = std::min(quickest, took);
        spent += took;
    }
    return quickest;
}

bool WarmUp::rows_agree(engine::Session& session, bool computed_in_16_bits) const {
    constexpr SampleContent kContent = SampleContent::kContrasting;
    const auto first_outputs = run(session, 0, 1, kContent);
    if (!first_outputs) return true;
    const Kept first(*first_outputs);
    const auto second_outputs = run(session, 1, 1, kContent);
    if (!second_outputs) return true;
    const Kept second(*second_outputs);
    const auto outputs = run(session, 0, 2, kContent);
    if (!outputs) return true;
    const std::vector<TensorView>& both = *outputs;
    for (std::size_t i = 0; i < both.size(); ++i) {
        if (both[i].shape.empty() || both[i].shape[0] != 2) return false;
        const TensorView& alone = first.views[i];
        if (!agree(row_of_two(both[i], alone, false), alone, computed_in_16_bits) ||
            !agree(row_of_two(both[i], alone, true), second.views[i], computed_in_16_bits)) {
            return false;
        }
    }
    return true;
}

}  // namespace lepton::model
