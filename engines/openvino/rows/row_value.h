#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <openvino/runtime/tensor.hpp>

namespace lepton::openvino {

// Extent of an axis; ov::Shape's own operator takes signed axes, which may count from the end.
[[nodiscard]] inline std::size_t extent_of(const ov::Shape& shape, std::size_t axis) {
    return shape.data()[axis];
}

// Where the rows of a batch lie in a tensor: position p of axis `at` belongs to row (p / inner) %
// rows. An axis that only counts rows has outer = inner = 1; [rows, seq, width] reshaped to [rows *
// seq, width] has inner = seq, and [seq, rows, width] reshaped to [seq * rows, width] has outer =
// seq.
struct RowAxis {
    std::int64_t at = 0;
    std::int64_t outer = 1;
    std::int64_t inner = 1;

    friend bool operator==(const RowAxis&, const RowAxis&) = default;
};

// What is known of a tensor in the run of a batch, compared with the runs of its rows alone.
struct RowValue {
    enum class Kind : std::uint8_t {
        kSame,   // The same tensor in each run: it depends on no request.
        kRows,   // Row r along `axis` is what the run of row r alone has there.
        kCount,  // Known, but different from the run alone: it depends on the number of rows.
        kMixed,  // None of these; `reason` names the operation that caused it.
    };
    Kind kind = Kind::kMixed;
    RowAxis axis;
    std::string reason;
    // The elements in the run alone and in the batch's, if they are few and depend only on shapes.
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
