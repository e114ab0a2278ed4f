#include <openvino/op/if.hpp>
#include <openvino/op/loop.hpp>
#include <openvino/op/tensor_iterator.hpp>
#include <openvino/op/util/sub_graph_base.hpp>

#include "engines/openvino/rows/row_operation.h"
#include "engines/openvino/rows/row_proof.h"

// Rules for operations that run a graph of their own, which is followed like the model's.
namespace lepton::openvino {
namespace {

using ov::op::util::MultiSubGraphOp;

// Maximum number of walks through a body until what is known of its state settles.
constexpr std::size_t kMaxPasses = 4;

bool alike(const RowValue& one, const RowValue& other) {
    return one.kind == other.kind && one.axis == other.axis;
}

// What is known of an input within the body, where bounds and counts are of no use.
RowValue within(const RowValue& value) {
    RowValue inner = value;
    inner.alone = inner.together = ov::Tensor();
    if (inner.kind == RowValue::Kind::kCount) {
        return RowValue::mixed("the number of rows is computed with in the body of a loop");
    }
    return inner;
}

template <class Description>
std::vector<std::shared_ptr<Description>> of_kind(
    const std::vector<std::shared_ptr<MultiSubGraphOp::InputDescription>>& all) {
    std::vector<std::shared_ptr<Description>> found;
    for (const auto& one : all) {
        if (auto cast = std::dynamic_pointer_cast<Description>(one)) found.push_back(cast);
    }
    return found;
}

// Gives the operation's outputs what is known of the body's results.
std::string give_outputs(
    RowOperation& op,
    const std::vector<std::shared_ptr<MultiSubGraphOp::OutputDescription>>& all,
    const std::vector<RowValue>& results) {
    for (const auto& description : all) {
        const RowValue& value = results.at(description->m_body_value_index);
        const auto concat =
            std::dynamic_pointer_cast<MultiSubGraphOp::ConcatOutputDescription>(description);
        if (concat != nullptr && value.kind == RowValue::Kind::kRows) {
            const std::int64_t rank = op.rank_out(description->m_output_index);
            const std::int64_t along = concat->m_axis < 0 ? concat->m_axis + rank : concat->m_axis;
            if (along == value.axis.at) return "joins its steps along the axis of the rows";
        }
        op.give(description->m_output_index, value);
    }
    return {};
}

// Follows the body of one kind of loop, from its first step on.
std::string loop(RowOperation& op) {
    auto* const alone = dynamic_cast<ov::op::util::SubGraphOp*>(&op.alone());
    auto* const together = dynamic_cast<ov::op::util::SubGraphOp*>(&op.together());
    if (alone == nullptr || together == nullptr) return "has no body";
    const auto& inputs = together->get_input_descriptions();
    std::vector<RowValue> parameters(together->get_function()->get_parameters().size(),
                                     RowValue::same());
    if (const auto* counted = dynamic_cast<const ov::op::v5::Loop*>(together)) {
        if (!op.is_same(0) || !op.is_same(1)) return "runs as often as a request says";
        static_cast<void>(counted);
    }
    for (const auto& description : inputs) {
        const RowValue value = within(op.in(description->m_input_index));
        const auto slice =
            std::dynamic_pointer_cast<MultiSubGraphOp::SliceInputDescription>(description);
        if (slice != nullptr && value.kind == RowValue::Kind::kRows) {
            const std::int64_t rank = op.rank_in(description->m_input_index);
            const std::int64_t along = slice->m_axis < 0 ? slice->m_axis + rank : slice->m_axis;
            if (along == value.axis.at) return "steps along the axis of the rows";
        }
        parameters.at(description->m_body_parameter_index) = value;
    }
    const auto merged = of_kind<MultiSubGraphOp::MergedInputDescription>(inputs);
    for (std::size_t pass = 0; pass < kMaxPasses; ++pass) {
        const std::vector<RowValue> results = follow_rows(
            *alone->get_function(), *together->get_function(), parameters, op.row_count());
        if (const auto* counted = dynamic_cast<const ov::op::v5::Loop*>(together)) {
            const auto condition = counted->get_special_body_ports().body_condition_output_idx;
            if (condition >= 0 &&
                results.at(static_cast<std::size_t>(condition)).kind != RowValue::Kind::kSame) {
                return "runs until a request's values end it";
            }
        }
        bool settled = true;
        for (const auto& state : merged) {
            RowValue& before = parameters.at(state->m_body_parameter_index);
            const RowValue after = within(results.at(state->m_body_value_index));
            settled = settled && alike(before, after);
            before = after;
        }
        if (settled) return give_outputs(op, together->get_output_descriptions(), results);
    }
    return "has a state of which too little is known";
}

// Follows both branches, if the condition is the same in each run.
std::string branch(RowOperation& op) {
    auto* const alone = dynamic_cast<ov::op::v8::If*>(&op.alone());
    auto* const together = dynamic_cast<ov::op::v8::If*>(&op.together());
    if (alone == nullptr || together == nullptr) return "has no branches";
    if (!op.is_same(0)) return "decides by the values of a request";
    std::vector<RowValue> first;
    for (const std::size_t body : {std::size_t{0}, std::size_t{1}}) {
        std::vector<RowValue> parameters(together->get_function(body)->get_parameters().size(),
                                         RowValue::same());
        for (const auto& description : together->get_input_descriptions(static_cast<int>(body))) {
            parameters.at(description->m_body_parameter_index) =
                within(op.in(description->m_input_index));
        }
        const std::vector<RowValue> results = follow_rows(
            *alone->get_function(body), *together->get_function(body), parameters, op.row_count());
        if (std::string why = give_outputs(
                op, together->get_output_descriptions(static_cast<int>(body)), results);
            !why.empty()) {
            return why;
        }
        if (body == 0) {
            first = op.outputs();
            continue;
        }
        for (std::size_t i = 0; i < first.size(); ++i) {
            if (first[i].kind == RowValue::Kind::kMixed)
                op.give(i, first[i]);
            else if (!alike(first[i], op.outputs()[i]))
                return "has branches that differ";
        }
    }
    return {};
}

}  // namespace

void add_loop_rules(RowRules& rules) {
    rules["TensorIterator"] = {loop};
    rules["Loop"] = {loop};
    rules["If"] = {branch};
}

}  // namespace lepton::openvino
