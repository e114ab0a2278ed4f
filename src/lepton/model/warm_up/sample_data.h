#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lepton/core/model_spec.h"
#include "lepton/core/tensor.h"
#include "lepton/memory/buffer.h"
#include "lepton/memory/buffer_pool.h"

namespace lepton::model {

struct DeclaredSample;

// What rows hold.
enum class SampleContent : std::uint8_t {
    // To warm a model up: small, and valid as token ids, divisors, extents, masks and images alike.
    // Whole numbers are 1, floats in [0, 1), strings "0" or "1", booleans either.
    kMild,
    // To compare runs by: every second row is unlike the one before, with floats from -1000 to
    // 1000;
    // whole numbers are 0 or 1.
    kContrasting,
};

// The shapes of inputs that are made up: with `batches`, axis 0 is `rows`; every other -1 is
// replaced by `free_extent`.
[[nodiscard]] std::vector<Shape> sample_shapes(std::span<const TensorSpec> inputs,
                                               bool batches,
                                               std::int64_t rows,
                                               std::int64_t free_extent);

// Appends what a configuration means by random, the same for the same seed: floats in [0, 1), and
// whole numbers over the range of their datatype, but for those of 32 and 64 bits from 0 to
// 2^31 - 1. Not for kBytes.
void append_random(memory::Buffer& buffer,
                   DataType dtype,
                   std::int64_t elements,
                   std::uint64_t seed);

// Inputs of a model for a run of it: made up, the same on each start, or as they were declared.
class SampleData {
public:
    // Rows first_row to first_row + rows - 1 of an endless table, so that a row has the same
    // content however many are asked for.
    SampleData(std::span<const TensorSpec> inputs,
               bool batches,
               std::int64_t first_row,
               std::int64_t rows,
               std::int64_t free_extent,
               SampleContent content = SampleContent::kMild);
    // The same of the table in which the rows of `sample` repeat without end; without `batches` the
    // sample as it is.
    SampleData(const DeclaredSample& sample,
               bool batches,
               std::int64_t first_row,
               std::int64_t rows);

    // Look into this object.
    [[nodiscard]] std::span<const TensorView> inputs() const { return views_; }

private:
    memory::BufferPool pool_;
    std::vector<memory::Buffer> buffers_;
    std::vector<TensorView> views_;
};

}  // namespace lepton::model
