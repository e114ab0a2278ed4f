#include "engines/openvino/rows/row_operation.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <openvino/core/attribute_visitor.hpp>
#include <openvino/op/constant.hpp>

namespace lepton::openvino {
namespace {

using Integers = std::vector<std::int64_t>;

// Collects the attributes that rules ask for and skips the others.
class AttributeReader final : public ov::AttributeVisitor {
public:
    AttributeReader(std::map<std::string, Integers, std::less<>>& integers,
                    std::map<std::string, std::string, std::less<>>& texts)
        : integers_(integers), texts_(texts) {}

    using ov::AttributeVisitor::on_adapter;
    void on_adapter(const std::string& name, ov::ValueAccessor<void>& adapter) override {
        static_cast<void>(name), static_cast<void>(adapter);
    }
    void on_adapter(const std::string& name,
                    ov::ValueAccessor<std::shared_ptr<ov::Model>>& adapter) override {
        static_cast<void>(name), static_cast<void>(adapter);
    }
    void on_adapter(const std::string& name, ov::VisitorAdapter& adapter) override {
        static_cast<void>(name), static_cast<void>(adapter);
    }
    void on_adapter(const std::string& name, ov::ValueAccessor<std::string>& adapter) override {
        texts_[name] = adapter.get();
    }
    void on_adapter(const std::string& name, ov::ValueAccessor<bool>& adapter) override {
        integers_[name] = {adapter.get() ? 1 : 0};
    }
    void on_adapter(const std::string& name, ov::ValueAccessor<std::int64_t>& adapter) override {
        integers_[name] = {adapter.get()};
    }
    void on_adapter(const std::string& name, ov::ValueAccessor<std::int32_t>& adapter) override {
        integers_[name] = {adapter.get()};
    }
    void on_adapter(const std::string& name, ov::ValueAccessor<Integers>& adapter) override {
        integers_[name] = adapter.get();
    }
    void on_adapter(const std::string& name,
                    ov::ValueAccessor<std::vector<std::uint64_t>>& adapter) override {
        const std::vector<std::uint64_t>& values = adapter.get();
        integers_[name] = Integers(values.begin(), values.end());
    }

private:
    std::map<std::string, Integers, std::less<>>& integers_;
    std::map<std::string, std::string, std::less<>>& texts_;
};

std::optional<Integers> integers_of(const ov::Tensor& tensor) {
    if (!tensor || !tensor.get_element_type().is_integral()) return std::nullopt;
    return ov::op::v0::Constant(tensor).cast_vector<std::int64_t>();
}

}  // namespace

RowOperation::RowOperation(ov::Node& alone,
                           ov::Node& together,
                           std::int64_t rows,
                           std::vector<RowValue> in)
    : alone_(alone),
      together_(together),
      rows_(rows),
      inputs_(std::move(in)),
      outputs_(together.get_output_size()) {}

bool RowOperation::has_rows(std::size_t i) const {
    return has_input(i) && inputs_[i].kind == RowValue::Kind::kRows;
}

bool RowOperation::is_same(std::size_t i) const {
    return !has_input(i) || inputs_[i].kind == RowValue::Kind::kSame;
}

bool RowOperation::same_from(std::size_t first) const {
    for (std::size_t i = first; i < inputs_.size(); ++i) {
        if (!is_same(i)) return false;
    }
    return true;
}

std::optional<Integers> RowOperation::integers(std::size_t i) const {
    return has_input(i) ? integers_of(inputs_[i].together) : std::nullopt;
}

std::optional<Integers> RowOperation::integers_alone(std::size_t i) const {
    return has_input(i) ? integers_of(inputs_[i].alone) : std::nullopt;
}

std::optional<Integers> RowOperation::fixed_integers(std::size_t i) const {
    const std::optional<Integers> found = integers(i);
    return found == integers_alone(i) ? found : std::nullopt;
}

std::optional<Integers> RowOperation::axes(std::size_t i, std::int64_t rank) const {
    std::optional<Integers> found = fixed_integers(i);
    if (!found) return std::nullopt;
    for (std::int64_t& axis : *found) {
        if (axis < 0) axis += rank;
        if (axis < 0 || axis >= rank) return std::nullopt;
    }
    return found;
}

void RowOperation::read_attributes() {
    if (std::exchange(attributes_read_, true)) return;
    AttributeReader reader(integers_, texts_);
    together_.visit_attributes(reader);
}

std::optional<std::int64_t> RowOperation::integer(std::string_view name) {
    const std::optional<Integers> list = integer_list(name);
    return list && list->size() == 1 ? std::optional(list->front()) : std::nullopt;
}

std::optional<Integers> RowOperation::integer_list(std::string_view name) {
    read_attributes();
    const auto found = integers_.find(name);
    return found == integers_.end() ? std::nullopt : std::optional(found->second);
}

std::string RowOperation::text(std::string_view name) {
    read_attributes();
    const auto found = texts_.find(name);
    return found == texts_.end() ? std::string() : found->second;
}

bool RowOperation::flag(std::string_view name) { return integer(name).value_or(0) != 0; }

std::optional<std::int64_t> RowOperation::axis(std::int64_t rank) {
    std::optional<std::int64_t> found = integer("axis");
    if (found && *found < 0) *found += rank;
    return found && *found >= 0 && *found < rank ? found : std::nullopt;
}

RowAxis aligned(const RowValue& value, std::int64_t rank_in, std::int64_t rank_out) {
    RowAxis axis = value.axis;
    axis.at += rank_out - rank_in;
    return axis;
}

const RowRuleEntry* find_row_rule(std::string_view type) {
    static const RowRules& rules = *[] {
        auto table = std::make_unique<RowRules>();
        add_elementwise_rules(*table);
        add_axis_rules(*table);
        add_layout_rules(*table);
        add_gather_rules(*table);
        add_product_rules(*table);
        add_loop_rules(*table);
        return table.release();
    }();
    const auto found = rules.find(type);
    return found == rules.end() ? nullptr : &found->second;
}

}  // namespace lepton::openvino
