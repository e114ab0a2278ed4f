#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

namespace lepton {

// Extents of a tensor, row-major, outermost first; -1 stands for any extent in a model's signature.
// Held inline, so that a request's shapes cost no allocation.
class Shape {
public:
    static constexpr std::size_t kMaxRank = 16;

    Shape() = default;
    Shape(std::initializer_list<std::int64_t> dims) {
        for (const std::int64_t dim : dims) push_back(dim);
    }

    // False, and unchanged, when kMaxRank is reached.
    bool push_back(std::int64_t dim) {
        if (rank_ == kMaxRank) return false;
        dims_[rank_++] = dim;
        return true;
    }
    void clear() { rank_ = 0; }

    [[nodiscard]] std::size_t rank() const { return rank_; }
    [[nodiscard]] bool empty() const { return rank_ == 0; }
    [[nodiscard]] std::int64_t operator[](std::size_t i) const { return dims_[i]; }
    [[nodiscard]] std::int64_t& operator[](std::size_t i) { return dims_[i]; }
    [[nodiscard]] std::span<const std::int64_t> dims() const& { return {dims_.data(), rank_}; }
    void dims() const&& = delete;  // They would be gone before the loop over them.
    [[nodiscard]] const std::int64_t* begin() const { return dims_.data(); }
    [[nodiscard]] const std::int64_t* end() const { return dims_.data() + rank_; }

    [[nodiscard]] bool is_static() const {
        return std::none_of(begin(), end(), [](std::int64_t dim) { return dim < 0; });
    }

    // Product of the extents; 1 for a scalar. Empty when an extent is negative or the product
    // overflows int64.
    [[nodiscard]] std::optional<std::int64_t> element_count() const;

    // Whether a concrete shape fits this signature: equal rank, and equal extents where ours is not
    // -1.
    [[nodiscard]] bool accepts(const Shape& concrete) const;

    // The shape without its outermost axis. Precondition: rank() > 0.
    [[nodiscard]] Shape row() const;

    friend bool operator==(const Shape& a, const Shape& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

private:
    std::array<std::int64_t, kMaxRank> dims_{};
    std::size_t rank_ = 0;
};

// "[1,3,224,224]"
[[nodiscard]] std::string to_string(const Shape& shape);

}  // namespace lepton
