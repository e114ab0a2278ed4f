#include "lepton/memory/tensor_copy.h"

#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "support/tensors.h"

namespace lepton::memory {
namespace {

std::vector<int> copied(std::vector<int> from, const Shape& from_shape, const Shape& to_shape) {
    std::vector<int> to(static_cast<std::size_t>(to_shape.element_count().value()), -1);
    copy_common(std::as_bytes(std::span(from)),
                from_shape,
                std::as_writable_bytes(std::span(to)),
                to_shape,
                sizeof(int));
    return to;
}

TEST(CopyCommon, FillsUpWithZerosAndCutsOffAgain) {
    const std::vector<int> rows = {1, 2, 3, 4, 5, 6};
    const std::vector<int> wide = copied(rows, {2, 3}, {2, 4});
    EXPECT_EQ(wide, (std::vector<int>{1, 2, 3, 0, 4, 5, 6, 0}));
    EXPECT_EQ(copied(wide, {2, 4}, {2, 3}), rows);
}

TEST(CopyCommon, KeepsPlacesInSeveralAxes) {
    const std::vector<int> small = {1, 2, 3, 4, 5, 6, 7, 8};
    const std::vector<int> large = copied(small, {2, 2, 2}, {2, 3, 3});
    EXPECT_EQ(large, (std::vector<int>{1, 2, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 7, 8, 0, 0, 0, 0}));
    EXPECT_EQ(copied(large, {2, 3, 3}, {2, 2, 2}), small);
    EXPECT_EQ(copied(large, {2, 3, 3}, {1, 2, 2}), (std::vector<int>{1, 2, 3, 4}));
}

TEST(CopyCommon, CopiesEqualShapesAndEmptyOnes) {
    EXPECT_EQ(copied({1, 2}, {1, 2}, {1, 2}), (std::vector<int>{1, 2}));
    EXPECT_EQ(copied({7}, {}, {}), (std::vector<int>{7}));
    EXPECT_EQ(copied({}, {1, 0}, {1, 2}), (std::vector<int>{0, 0}));
}

TEST(BytesOfElements, CountsLengthsAndBytes) {
    const std::vector<std::byte> data = lepton::testing::length_prefixed({"ab", "", "cde"});
    EXPECT_EQ(bytes_of_elements(data, 0), 0u);
    EXPECT_EQ(bytes_of_elements(data, 2), 10u);
    EXPECT_EQ(bytes_of_elements(data, 3), data.size());
}

}  // namespace
}  // namespace lepton::memory
