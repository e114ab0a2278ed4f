#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <openvino/runtime/tensor.hpp>

namespace lepton::openvino {

// Extent of an axis; ov::Shape's own operator takes signed axes, those from the end too.
[[nodiscard]] inline std::size_t extent_of(const ov::Shape& shape, std::size_t axis) {
    return shape.data()[axis];
}

// Where the rows of a batch lie in a tensor: position p of axis `at` belongs to row
// (p / inner) % rows. So an axis that only counts rows has outer = inner = 1; [rows, seq, width]
// reshaped to [rows * seq, width] has inner = seq, and [seq, rows, width] reshaped to
// [seq * rows, width] has outer = seq.
struct RowAxis {
    std::int64_t at = 0;
    std::int64_t outer = 1;
    std::int64_t inner = 1;

    friend bool operator==(const RowAxis&, const RowAxis&) = default;
};

// What is known of a tensor in the run of a batch, beside the runs of its rows alone.
struct RowValue {
    enum class Kind : std::uint8_t {
        kSame,   // The same tensor in each run: nothing of a request is in it.
        kRows,   // Row r along `axis` is what the run of row r alone has there.
        kCount,  // Known, and another one than alone: the number of rows is in it.
        kMixed,  // None of these; `reason` says by which operation.
    };
    Kind kind = Kind::kMixed;
    RowAxis axis;
    std::string reason;
    // The elements in the run alone and in the batch's, where they are few and depend on nothing
    // but shapes.
    ov::Tensor alone;
    ov::Tensor together;

    [[nodiscard]] bool known() const { return bool(alone) && bool(together); }

    static RowValue same() { return of(Kind::kSame); }
    static RowValue rows(RowAxis axis) {
        RowValue value = of(Kind::kRows);
        value.axis = axis;
        return value;
    }
    static RowValue mixed(std::string reason) {
        RowValue value = of(Kind::kMixed);
        value.reason = std::move(reason);
        return value;
    }

private:
    static RowValue of(Kind kind) {
        RowValue value;
        value.kind = kind;
        return value;
    }
};

}  // namespace lepton::openvino
