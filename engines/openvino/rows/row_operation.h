#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <openvino/core/node.hpp>

#include "engines/openvino/rows/row_value.h"

namespace lepton::openvino {

// One operation of the model, in the run of one row alone and in that of a batch, with what is
// known of its inputs. A rule looks at it and says what is known of the outputs. All shapes are
// known in both runs.
class RowOperation {
public:
    RowOperation(ov::Node& alone, ov::Node& together, std::int64_t rows, std::vector<RowValue> in);

    [[nodiscard]] std::string_view type() const { return together_.get_type_name(); }
    [[nodiscard]] ov::Node& alone() const { return alone_; }
    [[nodiscard]] ov::Node& together() const { return together_; }
    [[nodiscard]] std::int64_t row_count() const { return rows_; }

    [[nodiscard]] std::size_t input_count() const { return inputs_.size(); }
    [[nodiscard]] bool has_input(std::size_t i) const { return i < inputs_.size(); }
    [[nodiscard]] const RowValue& in(std::size_t i) const { return inputs_[i]; }
    [[nodiscard]] bool has_rows(std::size_t i) const;
    [[nodiscard]] bool is_same(std::size_t i) const;
    // Whether no input from `first` on has rows.
    [[nodiscard]] bool same_from(std::size_t first) const;

    [[nodiscard]] const ov::Shape& shape_in(std::size_t i) const {
        return together_.get_input_shape(i);
    }
    [[nodiscard]] const ov::Shape& shape_in_alone(std::size_t i) const {
        return alone_.get_input_shape(i);
    }
    [[nodiscard]] const ov::Shape& shape_out(std::size_t i) const {
        return together_.get_output_shape(i);
    }
    [[nodiscard]] const ov::Shape& shape_out_alone(std::size_t i) const {
        return alone_.get_output_shape(i);
    }
    [[nodiscard]] std::int64_t rank_in(std::size_t i) const {
        return static_cast<std::int64_t>(shape_in(i).size());
    }
    [[nodiscard]] std::int64_t rank_out(std::size_t i) const {
        return static_cast<std::int64_t>(shape_out(i).size());
    }

    // Returns the integers of an input that depends only on shapes, in the batch's run or alone.
    [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(std::size_t i) const;
    [[nodiscard]] std::optional<std::vector<std::int64_t>> integers_alone(std::size_t i) const;
    // The same, if both runs have the same integers.
    [[nodiscard]] std::optional<std::vector<std::int64_t>> fixed_integers(std::size_t i) const;
    // Returns them as axes of a tensor of that rank, counted from its front.
    [[nodiscard]] std::optional<std::vector<std::int64_t>> axes(std::size_t i,
                                                                std::int64_t rank) const;

    // Attributes, by the names that the operation sets give them.
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name);
    [[nodiscard]] std::optional<std::vector<std::int64_t>> integer_list(std::string_view name);
    [[nodiscard]] std::string text(std::string_view name);
    [[nodiscard]] bool flag(std::string_view name);
    // Returns attribute "axis" for a tensor of that rank, counted from its front.
    [[nodiscard]] std::optional<std::int64_t> axis(std::int64_t rank);

    void give(std::size_t output, RowValue value) { outputs_[output] = std::move(value); }
    void give_all(const RowValue& value) { outputs_.assign(outputs_.size(), value); }
    [[nodiscard]] std::vector<RowValue>& outputs() { return outputs_; }

private:
    void read_attributes();

    ov::Node& alone_;
    ov::Node& together_;
    std::int64_t rows_;
    std::vector<RowValue> inputs_;
    std::vector<RowValue> outputs_;
    bool attributes_read_ = false;
    std::map<std::string, std::vector<std::int64_t>, std::less<>> integers_;
    std::map<std::string, std::string, std::less<>> texts_;
};

// Sets what is known of the outputs, and returns an empty text; or returns why rows are not known
// to stay apart, as the end of a sentence that begins with the operation.
using RowRule = std::string (*)(RowOperation& op);

struct RowRuleEntry {
    RowRule rule = nullptr;
    // Bit i: input i says how the others are laid out, as a shape, axes or bounds do; nothing is
    // computed with its value.
    unsigned layout_inputs = 0;
};

// Returns null for operations without a rule.
[[nodiscard]] const RowRuleEntry* find_row_rule(std::string_view type);

// The rules by type of operation; each file adds its own to the table.
using RowRules = std::map<std::string_view, RowRuleEntry>;
void add_elementwise_rules(RowRules& rules);
void add_axis_rules(RowRules& rules);
void add_layout_rules(RowRules& rules);
void add_gather_rules(RowRules& rules);
void add_product_rules(RowRules& rules);
void add_loop_rules(RowRules& rules);

// Returns the axis where a value with rows has them in an output of rank `rank`, when axes are
// aligned at the end.
[[nodiscard]] RowAxis aligned(const RowValue& value, std::int64_t rank_in, std::int64_t rank_out);

}  // namespace lepton::openvino
