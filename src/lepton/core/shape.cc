#include "lepton/core/shape.h"

namespace lepton {

std::optional<std::int64_t> Shape::element_count() const {
    std::int64_t count = 1;
    for (const std::int64_t dim : dims()) {
        if (dim < 0 || __builtin_mul_overflow(count, dim, &count)) return std::nullopt;
    }
    return count;
}

bool Shape::accepts(const Shape& concrete) const {
    if (rank_ != concrete.rank_) return false;
    for (std::size_t i = 0; i < rank_; ++i) {
        if (dims_[i] >= 0 && dims_[i] != concrete.dims_[i]) return false;
    }
    return true;
}

Shape Shape::row() const {
    Shape row;
    for (std::size_t i = 1; i < rank_; ++i) row.push_back(dims_[i]);
    return row;
}

std::string to_string(const Shape& shape) {
    std::string text = "[";
    for (const std::int64_t dim : shape.dims()) {
        if (text.size() > 1) text += ',';
        text += std::to_string(dim);
    }
    return text += ']';
}

}  // namespace lepton
