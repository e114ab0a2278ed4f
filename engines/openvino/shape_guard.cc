#include "engines/openvino/shape_guard.h"

#include <utility>

#include <openvino/op/util/topk_base.hpp>

#include "engines/openvino/failure.h"
#include "engines/openvino/refusals.h"
#include "engines/openvino/rows/row_proof.h"
#include "engines/openvino/shape_skeleton.h"

namespace lepton::openvino {
namespace {

// A client that sends ever new shapes must not fill the memory with them: at this many, all are
// dropped.
constexpr std::size_t kMaxKnown = 4096;

std::vector<ov::PartialShape> partial_shapes(std::span<const Shape> shapes) {
    std::vector<ov::PartialShape> all;
    for (const Shape& shape : shapes) all.push_back(to_partial_shape(shape));
    return all;
}

std::vector<std::int64_t> key_of(std::span<const Shape> shapes, bool rows) {
    std::vector<std::int64_t> key{rows ? 1 : 0};
    for (const Shape& shape : shapes) {
        key.push_back(static_cast<std::int64_t>(shape.rank()));
        key.insert(key.end(), shape.begin(), shape.end());
    }
    return key;
}

// Checks what shape inference accepts and runs do not.
Result<> check_counts(const ov::Model& model) {
    for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
        const auto* const top = ov::as_type<ov::op::util::TopKBase>(node.get());
        if (top == nullptr || node->get_input_partial_shape(0).is_dynamic()) continue;
        const std::size_t extent = extent_of(node->get_input_shape(0), top->get_axis());
        if (top->get_k() <= extent) continue;
        return fail(ErrorCode::kInvalidArgument,
                    name_of(*node) + " takes " + std::to_string(top->get_k()) + " of " +
                        std::to_string(extent));
    }
    return {};
}

}  // namespace

ShapeGuard::ShapeGuard(std::shared_ptr<ov::Model> skeleton, std::shared_ptr<ov::Model> second)
    : skeleton_(std::move(skeleton)), alone_(std::move(second)) {}

Result<std::shared_ptr<ShapeGuard>> ShapeGuard::make(const ov::Model& model) {
    LEPTON_TRY(std::shared_ptr<ov::Model> skeleton, make_shape_skeleton(model));
    LEPTON_TRY(std::shared_ptr<ov::Model> second,
               guarded(ErrorCode::kInternal, "the model cannot be copied", [&] {
                   return skeleton->clone();
               }));
    return std::shared_ptr<ShapeGuard>(new ShapeGuard(std::move(skeleton), std::move(second)));
}

ShapeGuard::Found ShapeGuard::facts(std::span<const Shape> inputs) { return find(inputs, false); }

ShapeGuard::Found ShapeGuard::facts_of_rows(std::span<const Shape> inputs) {
    return find(inputs, true);
}

ShapeGuard::Found ShapeGuard::find(std::span<const Shape> inputs, bool rows) {
    std::vector<std::int64_t> key = key_of(inputs, rows);
    const MutexLock lock(mutex_);
    const auto known = known_.find(key);
    if (known != known_.end()) return known->second;
    if (known_.size() >= kMaxKnown) known_.clear();
    return known_.emplace(std::move(key), infer(inputs, rows)).first->second;
}

ShapeGuard::Found ShapeGuard::infer(std::span<const Shape> inputs, bool rows) {
    LEPTON_RETURN_IF_ERROR(infer_shapes(*skeleton_, partial_shapes(inputs)));
    LEPTON_RETURN_IF_ERROR(check_counts(*skeleton_));
    auto found = std::make_shared<ShapeFacts>();
    for (const auto& result : skeleton_->get_results()) {
        found->outputs.push_back(result->get_input_partial_shape(0));
    }
    found->depend_on_values = has_open_shapes(*skeleton_);
    const std::int64_t count = rows && !inputs.empty() ? inputs.front()[0] : 1;
    if (count > 1) {
        std::vector<Shape> row(inputs.begin(), inputs.end());
        for (Shape& shape : row) shape[0] = 1;
        if (const auto taken = infer_shapes(*alone_, partial_shapes(row)); !taken) {
            found->dependence = "a row alone is refused: " + taken.error().message;
        } else {
            ov::Model& alone = *alone_;
            ov::Model& together = *skeleton_;
            const auto followed = guarded(ErrorCode::kInternal, "rows cannot be followed", [&] {
                return find_row_dependence(alone, together, inputs.size(), count);
            });
            found->dependence = followed ? *followed : followed.error().message;
        }
    }
    return std::shared_ptr<const ShapeFacts>(std::move(found));
}

}  // namespace lepton::openvino
